// Labels select2's fields for screen readers, as select2 does not.
"use strict";
(() => {
    const FIELDS = ":is(.select2-search__field, .select2-selection__rendered[role=textbox]):not([aria-label])";
    const nameOf = (field) => {
        const select = field.closest(".select2-container")?.previousElementSibling;
        const label = select?.labels?.[0] ?? document.querySelector(".select2-container--open")?.previousElementSibling?.labels?.[0];
        return label?.textContent.replace(/:\s*$/, "") || "Search";
    };
    const nameAll = () => {
        for (const field of document.querySelectorAll(FIELDS)) {
            field.setAttribute("aria-label", nameOf(field));
        }
    };
    document.addEventListener("DOMContentLoaded", () => {
        new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
    });
})();
