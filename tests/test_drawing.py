"""The drawing of the mesh: what stands where, what is read in it, and what it costs; no browser looks at it."""

import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fleet.pages import drawing, grouping, layout, names
from fleet.pages.breaking import LISTED, NOWHERE, find_breaks
from fleet.pages.grouping import Kind, Link
from fleet.pages.layout import Graph, Layout
from fleet.pages.shapes import Drawing, Piece
from instances.models import Instance, User
from instances.text import TURNING
from tests.mesh import link, node

SLACK = 1.5  # pixels by which a line may touch a box, as dot and the drawing round
SVG = "{http://www.w3.org/2000/svg}"
STATES = ("established", "established", "established", "adding", "removing")
TYPES = ("control", "hybrid", "hop", "hop", "execution", "execution", "execution")

Rectangle = tuple[float, float, float, float]
Point = tuple[float, float]


def points_on(curve: Collection[Point]) -> Iterator[Point]:
    """Points so near to each other that a line which crosses a box has one in it."""
    points = list(curve)
    for begin in range(0, len(points) - 3, 3):
        a, b, c, d = points[begin : begin + 4]
        for step in range(61):
            t = step / 60
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1))
            yield x, y


def within(point: Point, box: Rectangle, slack: float) -> bool:
    x, y, width, height = box
    return x - slack < point[0] < x + width + slack and y - slack < point[1] < y + height + slack


# --- the layout


@st.composite
def graphs(draw: DrawFn) -> Graph:
    layers, number = [], 0
    for size in draw(st.lists(st.integers(1, 7), min_size=1, max_size=6)):
        layers.append(tuple(range(number, number + size)))
        number += size
    sizes = st.sampled_from([(208, 44), (208, 44), (208, 70), (224, 300), (640, 120)])
    pairs = st.tuples(st.integers(0, number - 1), st.integers(0, number - 1)).filter(lambda pair: pair[0] < pair[1])
    edges = draw(st.sets(pairs, max_size=3 * number)) if number > 1 else set()
    boxes = draw(st.lists(sizes, min_size=number, max_size=number))
    return Graph(tuple(boxes), tuple(layers), tuple(sorted(edges)))


def boxes_of(graph: Graph, told: Layout) -> list[Rectangle]:
    return [
        (told.centers[number][0] - width / 2, told.centers[number][1] - height / 2, width, height)
        for number, (width, height) in enumerate(graph.sizes)
    ]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(graphs())
def test_no_line_crosses_a_box_that_it_does_not_end_at(graph: Graph) -> None:
    told = layout.arrange(graph)
    assert told is not None
    boxes = boxes_of(graph, told)
    assert set(told.curves) == set(graph.edges)
    for ends, curve in told.curves.items():
        for end, point in zip(ends, (curve[0], curve[-1]), strict=True):
            assert within(point, boxes[end], SLACK)
        others = [box for number, box in enumerate(boxes) if number not in ends]
        assert not any(within(point, box, -SLACK) for point in points_on(curve) for box in others)
    for number, (x, y, width, height) in enumerate(boxes):
        assert x > -SLACK
        assert y > -SLACK
        assert x + width < told.width + SLACK
        assert y + height < told.height + SLACK
        center = told.centers[number]
        assert not any(within(center, other, 0) for place, other in enumerate(boxes) if place != number)


def test_a_layer_stands_to_the_right_of_the_one_before() -> None:
    graph = Graph(((208, 44),) * 4, ((0,), (1, 2), (3,)), ((0, 3),))
    told = layout.arrange(graph)
    assert told is not None
    xs = [told.centers[number][0] for number in range(4)]
    assert xs[0] < xs[1] == xs[2] < xs[3]


def test_boxes_stand_in_the_order_in_which_they_come_where_nothing_speaks_against_it() -> None:
    layers = tuple(tuple(range(5 * layer, 5 * layer + 5)) for layer in range(3))
    told = layout.arrange(Graph(((208, 44),) * 15, layers, tuple((box, box + 5) for box in range(10))))
    assert told is not None
    assert [sorted(layer, key=lambda box: told.centers[box][1]) for layer in layers] == [
        list(layer) for layer in layers
    ]


def test_children_stand_in_the_order_of_their_parents() -> None:
    """Six chains of three are drawn without any crossing, whatever the order in which their boxes come."""
    order = random.Random(5).sample(range(6), 6)
    edges = [(number, 6 + order[number]) for number in range(6)]
    edges += [(6 + number, 12 + order[number]) for number in range(6)]
    told = layout.arrange(
        Graph(((208, 44),) * 18, (tuple(range(6)), tuple(range(6, 12)), tuple(range(12, 18))), tuple(edges))
    )
    assert told is not None
    heights = [[told.centers[end][1] for end in edge] for edge in edges]
    for layer in (heights[:6], heights[6:]):
        assert [right for _, right in sorted(layer)] == sorted(right for _, right in layer)


def test_a_layout_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph(((208, 44),) * 2, ((0,), (1,)), ((0, 1),))
    first = layout.arrange(graph)
    monkeypatch.setattr(subprocess, "run", None)
    assert layout.arrange(Graph(((208, 44),) * 2, ((0,), (1,)), ((0, 1),))) is first


# --- names


@given(st.sets(st.text(min_size=1, max_size=60), min_size=1, max_size=12), st.integers(16, 30))
def test_labels_are_short_and_never_the_same(hostnames: set[str], length: int) -> None:
    told = names.shortened(hostnames, length)
    assert set(told.labels) == hostnames
    assert len(set(told.labels.values())) == len(hostnames)
    assert all(0 < len(label) <= length and not TURNING.search(label) for label in told.labels.values())


@given(
    st.sets(
        st.tuples(st.sampled_from(["exec", "hop"]), st.text("ab", max_size=40), st.text("ab", max_size=40)),
        min_size=2,
        max_size=12,
    )
)
def test_labels_of_names_that_are_much_alike_differ(parts: set[tuple[str, str, str]]) -> None:
    hostnames = ["-".join(each) + ".example.org" for each in parts]
    labels = names.shortened(hostnames, 24).labels.values()
    assert len(set(labels)) == len(set(hostnames))


def test_what_the_names_of_a_tier_have_in_common_is_left_out() -> None:
    hostnames = [f"exec-eu-{site}-0001.prod.corp.example.com" for site in ("paris", "rome")]
    told = names.shortened(hostnames, 16)
    assert list(told.labels.values()) == ["paris-0001", "rome-0001"]
    assert told.pattern == "exec-eu-*.prod.corp.example.com"
    told = names.shortened(hostnames, 24)  # where there is room for it, the beginning stays
    assert list(told.labels.values()) == ["exec-eu-paris-0001", "exec-eu-rome-0001"]
    assert told.pattern == "*.prod.corp.example.com"


def test_a_domain_is_left_out_where_most_have_it_and_names_stay_distinct() -> None:
    told = names.shortened(["a.example.org", "b.example.org", "c.example.org", "hop-3"], 24)
    assert list(told.labels.values()) == ["a", "b", "c", "hop-3"]
    told = names.shortened(["a.example.org", "b.example.org", "b", "c.example.org"], 24)
    assert list(told.labels.values()) == ["a.example.org", "b.example.org", "b", "c.example.org"]
    assert told.pattern == ""


def test_long_names_are_cut_where_they_do_not_differ() -> None:
    told = names.shortened(["exec-frankfurt-datacenter-0001", "exec-frankfurt-datacenter-0002", "x" * 250], 24)
    assert list(told.labels.values()) == [
        "exec-frankfu…center-0001",
        "exec-frankfu…center-0002",
        "xxxxxxxxxxxx…xxxxxxxxxxx",
    ]
    middle = [f"{'a' * 30}{letter}{'b' * 30}" for letter in "xy"]
    assert ["x" in label or "y" in label for label in names.shortened(middle, 24).labels.values()] == [True, True]


# --- the mesh


@pytest.fixture
def _database(db: None) -> None:
    """The test makes nodes."""


database = pytest.mark.usefixtures("_database")


def drawn(links: Collection[Link] = (), opened: Collection[str] = (), marked: bool = False) -> Drawing:
    nodes = Instance.objects.with_load().order_by("pk")
    return drawing.draw(nodes, links, opened, find_breaks(nodes, links) if marked else NOWHERE)


def rendered(told: Drawing) -> str:
    return render_to_string("pages/topology.html", {"drawing": told, "request": RequestFactory().get("/?q=x")})


def pieces(told: Drawing) -> dict[str, Piece]:
    return {piece.part.nodes[0].hostname: piece for piece in told.pieces}


def fan(parents: Collection[Instance], children: Collection[Instance], state: str = "established") -> list[Link]:
    return [(parent.pk, child.pk, state) for parent in parents for child in children]


@database
def test_few_nodes_are_drawn_one_by_one() -> None:
    control, hop, execution = node("control-1", "control"), node("hop-1", "hop"), node("exec-1")
    told = drawn([(control.pk, hop.pk, "established"), (hop.pk, execution.pk, "adding")])
    assert [band.tier.value for band in told.bands] == ["control", "hop", "execution"]
    assert not any(piece.closed or piece.framed for piece in told.pieces)
    assert [(line.state, line.is_bundle, line.label) for line in told.lines] == [
        ("established", False, ()),
        ("adding", False, ()),
    ]
    assert told.lines[1].title == "\u2068hop-1\u2069 to \u2068exec-1\u2069: being added"


@database
@pytest.mark.parametrize("length", [1, 2, 6])
def test_a_chain_of_hops_is_a_path_of_its_length(length: int) -> None:
    control, last = node("control-1", "control"), node("exec-1")
    hops = [node(f"hop-{number}", "hop") for number in random.Random(length).sample(range(length), length)]
    chain = [control, *hops, last]
    told = pieces(drawn([(a.pk, b.pk, "established") for a, b in zip(chain[1:], chain, strict=False)]))
    xs = [told[each.hostname].x for each in chain]
    assert xs == sorted(set(xs))
    assert len(set(xs)) == length + 2


@database
def test_a_hop_stands_by_its_shortest_way_to_a_control_node() -> None:
    control = node("control-1", "control")
    first, second, third, alone, behind = [node(f"hop-{number}", "hop") for number in range(5)]
    ways = [(control, first), (first, second), (second, third), (third, control), (alone, behind)]
    told = pieces(drawn([(a.pk, b.pk, "established") for a, b in ways]))
    near, far = told["hop-0"].x, told["hop-1"].x
    assert near < far
    assert (told["hop-2"].x, told["hop-3"].x, told["hop-4"].x) == (near, near, far)


@database
def test_many_nodes_are_closed_by_what_they_are_linked_to_until_they_are_opened() -> None:
    hops = [node(f"hop-{number}", "hop") for number in range(2)]
    nodes = [node(f"exec-{number:02}") for number in range(60)]
    links = [link for number, hop in enumerate(hops) for link in fan([hop], nodes[number::2])]
    told = drawn(links)
    assert [(piece.closed, piece.number) for piece in told.bands[1].pieces] == [(True, 30), (True, 30)]
    assert {piece.description for piece in told.bands[1].pieces} == {
        "\u2068exec-00\u2069 and 29 more; 30 ready; 0% in use",
        "\u2068exec-01\u2069 and 29 more; 30 ready; 0% in use",
    }
    one = told.bands[1].pieces[0].key
    told = drawn(links, [one])
    assert [(piece.closed, piece.framed, len(piece.boxes)) for piece in told.bands[1].pieces] == [
        (False, True, 30),
        (True, False, 0),
    ]
    told = drawn(links, ["execution"])
    assert [(piece.framed, len(piece.boxes)) for piece in told.bands[1].pieces] == [(True, 30), (True, 30)]


@database
def test_a_bundle_tells_how_many_of_it_change_and_is_not_painted_as_if_all_did() -> None:
    hop = node("hop-1", "hop")
    nodes = [node(f"exec-{number:02}") for number in range(30)]
    told = drawn([*fan([hop], nodes[:28]), *fan([hop], nodes[28:], "removing")])
    (line,) = told.lines
    assert (line.state, line.is_bundle) == ("mixed", True)
    assert " ".join(line.label) == "2 of 30 being removed"
    assert line.title == "\u2068hop-1\u2069 to \u206830 execution nodes\u2069: 2 of 30 being removed"
    (line,) = drawn(
        [*fan([hop], nodes[:27]), *fan([hop], nodes[27:29], "removing"), *fan([hop], nodes[29:], "adding")]
    ).lines
    assert line.title.endswith("2 of 30 being removed, 1 of 30 being added")
    assert line.label == ("2 of 30", "being removed", "1 being added")
    (line,) = drawn(fan([hop], nodes)).lines
    assert (line.state, line.label) == ("established", ())
    (line,) = drawn(fan([hop], nodes, "removing")).lines
    assert (line.state, " ".join(line.label)) == ("removing", "30 of 30 being removed")


@database
def test_links_in_a_state_that_is_not_known_are_drawn() -> None:
    hop = node("hop-1", "hop")
    nodes = [node(f"exec-{number:02}") for number in range(30)]
    told = drawn([*fan([hop], nodes[:29]), *fan([hop], nodes[29:], "resting")])
    assert " ".join(told.lines[0].label) == "1 of 30 resting"
    assert "(resting)" in drawn(fan([hop], nodes[:2], "resting"), ["execution"]).bands[1].pieces[0].boxes[0].description


@database
@pytest.mark.parametrize(
    ("values", "figures"),
    [
        ({}, "0 / 81"),
        ({"capacity": 0}, "No capacity"),
        ({"enabled": False}, "Ready, disabled"),
        ({"node_state": "provision-fail", "enabled": False}, "Provisioning Failure, disabled"),
        ({"node_type": "hop"}, "Ready"),
    ],
)
def test_a_box_tells_how_its_node_does(values: dict[str, object], figures: str) -> None:
    node("exec-1", **values)  # type: ignore[arg-type]
    told = drawn()
    assert next(told.pieces).boxes[0].figures == figures
    assert figures in rendered(told)


@database
def test_a_single_link_that_is_removed_marks_no_other_line_and_no_box() -> None:
    hop, first, second = node("hop-1", "hop"), node("exec-1"), node("exec-2")
    told = drawn([(hop.pk, first.pk, "removing"), (hop.pk, second.pk, "established")])
    assert Counter(line.state for line in told.lines) == {"removing": 1, "established": 1}
    page = rendered(told)
    assert re.findall(r"<rect[^>]*link-", page) == []


@database
def test_nodes_with_the_same_links_share_a_frame_and_its_lines() -> None:
    controls = [node(f"control-{number}", "control") for number in range(4)]
    hops = [node(f"hop-{number}", "hop") for number in range(5)]
    among = [(controls[0].pk, controls[1].pk, "established"), (controls[2].pk, controls[3].pk, "removing")]
    told = drawn([*fan(controls, hops), *among])
    frames = {piece.part.tier.value: piece for piece in told.pieces}
    assert [(piece.part.kind, piece.number) for piece in told.pieces] == [(Kind.FRAME, 4), (Kind.FRAME, 5)]
    assert frames["control"].heading == "4 nodes; 2 links among them, 1 of 2 being removed"
    assert len(told.lines) == 1
    assert told.lines[0].title.endswith("20 established")
    assert {box.near for box in frames["control"].boxes} == {frames["hop"].key}


@database
def test_what_nobody_could_read_is_drawn_as_a_whole() -> None:
    controls = [node(f"control-{number}", "control") for number in range(24)]
    nodes = [node(f"exec-{number}") for number in range(24)]
    chance = random.Random(1)
    links = [(one.pk, other.pk, "established") for one in controls for other in nodes if chance.random() < 0.7]
    told = drawn(links)
    assert len(told.lines) <= grouping.MOST_LINES
    assert sum(len(piece.boxes) for piece in told.pieces) == 48
    framed = next(piece for piece in told.pieces if piece.framed)
    for box in framed.boxes:  # each tells its own links, as the lines of the frame are not all its own
        near = {describe_end.key for describe_end in told.pieces if describe_end is not framed} & set(box.near.split())
        assert len(near) == len([link for link in links if box.instance.pk in link[:2]])


@database
def test_more_nodes_than_can_be_drawn_are_counted() -> None:
    Instance.objects.bulk_create(Instance(hostname=f"exec-{number}", node_type="execution") for number in range(620))
    told = drawn([], ["execution"])
    assert sum(len(piece.boxes) for piece in told.pieces) == drawing.MOST
    assert "20 more are in the table below" in next(told.pieces).heading


@database
def test_how_nodes_do_leaves_the_layout_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    hop, execution = node("hop-1", "hop"), node("exec-1")
    before = drawn([(hop.pk, execution.pk, "established")])
    Instance.objects.update(node_state="unavailable", errors="gone", enabled=False, capacity=0)
    monkeypatch.setattr(subprocess, "run", None)
    after = drawn([(hop.pk, execution.pk, "removing")])
    assert [(piece.x, piece.y) for piece in before.pieces] == [(piece.x, piece.y) for piece in after.pieces]


@database
def test_each_box_tells_all_of_its_name_and_its_links() -> None:
    long = "exec-" + "x" * 80
    hops, execution = [node(f"hop-{number}", "hop") for number in range(6)], node(long, enabled=False)
    told = drawn([*fan(hops[:5], [execution]), (hops[5].pk, execution.pk, "removing")])
    box = pieces(told)[long].boxes[0]
    assert box.description == (
        f"\u2068{long}\u2069, execution, Ready, disabled, 0 of 81 forks in use. "
        "Linked to \u2068hop-5\u2069 (being removed), "
        "\u2068hop-0\u2069, \u2068hop-1\u2069, \u2068hop-2\u2069 and 2 more."
    )
    page = rendered(told)
    assert f'aria-label="{box.label} Ready, disabled: \u2068{long}\u2069' in page


@database
@pytest.mark.parametrize("seed", range(6))
def test_the_drawn_picture_has_no_line_through_a_box(seed: int) -> None:
    chance = random.Random(seed)
    nodes = [node(f"{TYPES[number % 7]}-{number:03}", TYPES[number % 7]) for number in range(20 + 25 * seed)]
    pairs = {tuple(sorted(chance.sample(range(len(nodes)), 2))) for _ in range(chance.randint(5, 2 * len(nodes)))}
    links = [(nodes[one].pk, nodes[other].pk, chance.choice(STATES)) for one, other in sorted(pairs)]
    opened = [name for name in ("control", "hop", "execution") if chance.random() < 0.5]
    told = drawn(links, opened)
    svg = picture(rendered(told))
    boxes = dict(reversed(list(rectangles(svg))))
    lines = [each for each in svg.iter(f"{SVG}path") if each.get("data-ends")]
    assert boxes.keys() == {piece.key for piece in told.pieces}
    assert len(lines) == len(told.lines)
    for line in lines:
        ends = str(line.get("data-ends")).split()
        numbers = [float(number) for number in re.findall(r"[-\d.]+", str(line.get("d")))]
        curve = list(zip(numbers[::2], numbers[1::2], strict=True))
        others = [box for key, box in boxes.items() if key not in ends]
        assert all(within(point, boxes[end], SLACK) for end, point in zip(ends, (curve[0], curve[-1]), strict=True))
        assert not any(within(point, box, -SLACK) for point in points_on(curve) for box in others)
    for label in (each for each in svg.iter(f"{SVG}text") if each.get("data-ends")):
        at = float(str(label.get("x"))), float(str(label.get("y"))) + drawing.LABEL_LINE
        assert not any(within(at, box, 0) for box in boxes.values())


def picture(page: str) -> ElementTree.Element:
    found = re.search(r'<svg class="topology".*</svg>', page, re.DOTALL)
    assert found
    return ElementTree.fromstring(found.group().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def rectangles(svg: ElementTree.Element) -> Iterator[tuple[str, Rectangle]]:
    """Of each part, first of all its frame if it has one."""
    for each in svg.iter():
        key = each.get("data-part")
        inner = each if each.tag == f"{SVG}svg" else each.find(f"{SVG}svg")
        if key and inner is not None:
            yield key, tuple(float(str(inner.get(name))) for name in ("x", "y", "width", "height"))  # type: ignore[misc]


# --- where the mesh would break


def badges(told: Drawing) -> dict[str, str]:
    """By the name of the first node, what is marked at a box."""
    boxes = {box.instance.hostname: box.badge for piece in told.pieces for box in piece.boxes}
    closed = {name: piece.badge for name, piece in pieces(told).items() if piece.closed}
    return {name: badge.text for name, badge in {**boxes, **closed}.items() if badge}


@database
def test_what_a_loss_would_cut_off_is_marked_where_it_is_asked_for() -> None:
    control, hop, other = node("control-1", "control"), node("hop-1", "hop"), node("control-2", "control")
    execution, spare = node("exec-1"), node("exec-2")
    links = [*fan([control, other], [hop, spare]), (hop.pk, execution.pk, "established")]
    told = drawn(links, marked=True)
    assert badges(told) == {"hop-1": "cuts off 1"}
    description = pieces(told)["hop-1"].boxes[0].description
    assert description.endswith(" Its loss cuts off \u2068exec-1\u2069 (81 forks, 50% of the mesh).")
    marked = [line for line in told.lines if line.breaks]
    assert [line.label for line in marked] == [("cuts off 1",)]
    assert marked[0].title.endswith(": established; its loss cuts off \u2068exec-1\u2069 (81 forks, 50% of the mesh).")
    page = rendered(told)
    assert page.count('class="break"') == 1
    assert 'aria-label="hop-1 Ready cuts off 1: ' in page
    unmarked = drawn(links)
    assert not badges(unmarked)
    assert not any(line.breaks or line.label for line in unmarked.lines)
    assert 'class="break"' not in rendered(unmarked)


@database
def test_a_link_that_is_being_removed_breaks_nothing() -> None:
    control, hop, execution = node("control-1", "control"), node("hop-1", "hop"), node("exec-1")
    links = [(control.pk, hop.pk, "removing"), (hop.pk, execution.pk, "established")]
    told = drawn(links, marked=True)
    assert not badges(told)
    assert not any(line.breaks for line in told.lines)
    assert find_breaks(Instance.objects.with_load(), links).unreachable == ["exec-1", "hop-1"]


@database
def test_of_several_nodes_and_links_it_is_marked_how_many_cut_off_others() -> None:
    control, other, hop = node("control-1", "control"), node("control-2", "control"), node("hop-0", "hop")
    executions = [node(f"exec-{number:02}") for number in range(30)]
    far = node("far", "hop")
    links = [*fan([control, other], [hop]), *fan([hop], executions), (executions[0].pk, far.pk, "established")]
    told = drawn(links, marked=True)
    assert badges(told) == {"hop-0": "cuts off 31", "exec-00": "cuts off 1"}
    (bundle,) = (line for line in told.lines if line.is_bundle and line.breaks)
    assert bundle.label == ("29 cut", "off nodes")
    assert bundle.title.endswith("29 established; the loss of each of 29 of them cuts off nodes")
    twins = drawn([*links, *((each.pk, far.pk, "established") for each in executions[1:])], marked=True)
    assert badges(twins) == {"hop-0": "cuts off 31"}
    near = [node(f"near-{number:02}", "hop") for number in range(30)]
    behind = [(one.pk, node(f"last-{one.pk}").pk, "established") for one in near]
    closed = drawn([*links, *fan([control, other], near), *behind], marked=True)
    assert "31 cut off others" in badges(closed).values()
    shown = next(piece for piece in closed.pieces if piece.badge)
    assert shown.shown.endswith(" 31 cut off others")


@database
def test_the_list_below_the_drawing_names_the_most_harmful_and_counts_the_rest() -> None:
    control, other, hop = node("control-1", "control"), node("control-2", "control"), node("hop-1", "hop")
    links = [*fan([control, other], [hop]), *fan([hop], [node(f"exec-{number}") for number in range(9)])]
    node("lone")
    breaks = find_breaks(Instance.objects.with_load(), links)
    told = breaks.sentences()
    assert told[0] == "Node \u2068lone\u2069 can reach no control node now."
    assert told[1].startswith("Node \u2068hop-1\u2069: its loss cuts off \u2068exec-0\u2069, ")
    assert len(told) == 2 + LISTED
    assert breaks.left_out == 9 - LISTED
    assert NOWHERE.sentences() == ["The loss of one node or of one link cuts off no other node."]


# --- the page

CANNOT_BE_MADE = "The drawing is not available at the moment."


@database
@pytest.mark.django_db
def test_the_page_is_shown_where_no_layout_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    node("exec-1")
    layout.run_dot.cache_clear()
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="x"))
    with monkeypatch.context() as broken:
        broken.setattr(layout, "DOT", "raise SystemExit(1)")
        answer = client.get("/")
    assert answer.status_code == 200
    assert CANNOT_BE_MADE in answer.content.decode()
    assert "exec-1" in answer.content.decode()
    assert CANNOT_BE_MADE in client.get("/").content.decode()  # it is not tried for each page
    monkeypatch.setattr(layout, "RETRY_AFTER", 0)
    layout.failed.update(dict.fromkeys(layout.failed, time.monotonic()))
    assert CANNOT_BE_MADE not in client.get("/").content.decode()


@database
def test_tiers_and_parts_of_them_are_opened_and_closed_by_addresses() -> None:
    hop = node("hop-1", "hop")
    for number in range(30):
        link(hop, node(f"exec-{number:02}"))
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="x"))
    first = Instance.objects.get(hostname="exec-00").pk

    def shown(query: str) -> str:
        return client.get(f"/{query}").content.decode()

    assert f'href="?q=x&amp;open=execution-{first}"' in shown("?q=x")
    assert 'href="?q=x&amp;open=execution"' in shown("?q=x")
    opened = shown(f"?open=hop&open=execution-{first}")
    assert len(re.findall('class="box"', opened)) == 31
    assert opened.count('href="?open=hop"') == 2
    assert len(re.findall('class="box"', shown("?open=execution"))) == 31
    assert len(re.findall('class="box"', shown("?open=nonsense&open=hop-0"))) == 1
