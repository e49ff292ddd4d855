"""`manage.py access_page`: who may do what, as a Markdown page; docs/access.md is its output."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from targets.access import OPERATIONS, READING, ROLES, Operation, Role

HEAD = """# Who may do what

Written by `manage.py access_page` from the one table in `targets/access.py`.

Each operation has one permission, the same over the API and in the admin. Permissions are given by groups. Every
installation has the groups of the roles below: each `migrate` makes them and gives them just these permissions,
whatever was changed by hand; who is in them stays. For anything else make a group of your own, under another name: it
is never touched. Superusers may do everything, and only they may touch users, groups, API users and the brands of
staff, as whoever may do that could give himself everything.

`Default access` is for API users, who may call everything the API offers in their one brand. The others are for people
in the admin, and will do for API users too. [operating.md](operating.md#support-staff) says how they are given.

What one may see is a list with its pages. The page of a row shows also what belongs to it: that of an enrolment its
stays, receipts and grants, that of a programme its calendar, rewards and history. That of a customer shows his
programmes, rewards and receipts to who may see enrolments, and his activities to who may see those too.

"""
BRANDS = """
## Brands of staff

Staff see and touch the brands that they are given, everywhere in the admin: in lists, filters, searches, choices,
actions and under every address. A row of another brand is answered just like one that does not exist. Whoever has been
given no brand sees nothing; an empty brand stands for every brand, also those to come. Superusers see all without being
given any.

Taking a brand away works from the next page on. What somebody did before stays in the records, but no longer stands
among his “Recent actions”.

In an upgrade from a version without brands of staff, everybody who was staff then keeps every brand: look through the
users afterwards. Going back to such a version forgets the brands; so the next upgrade is one of these again.
"""


class Command(BaseCommand):
    help = "Print the roles and what each may do as Markdown."

    def handle(self, *args: Any, **options: Any) -> None:
        sections = {"Operations": OPERATIONS, "Reading": READING}
        pages = (f"## {title}\n\n" + "".join(table(operations)) for title, operations in sections.items())
        self.stdout.write(HEAD + "\n".join(pages) + BRANDS, ending="")


def table(operations: dict[str, Operation]) -> Iterator[str]:
    yield f"| Operation | Permission | API | Admin | {' | '.join(Role)} |\n"
    yield f"|---|---|{':-:|' * (2 + len(Role))}\n"
    for permission, operation in operations.items():
        ticks = [operation.api, operation.admin, *(permission in ROLES[role] for role in Role)]
        yield f"| {operation.name} | `{permission}` | {' | '.join('yes' if each else '' for each in ticks)} |\n"
