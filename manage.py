#!/usr/bin/env python
"""The command ``awx-instances`` of a checkout: ``python manage.py help`` lists what it does."""

from settings.commands import main

if __name__ == "__main__":
    main()
