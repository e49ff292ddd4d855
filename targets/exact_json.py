"""JSON columns whose numbers stay exact: decimals go in and come out as decimals, never as floats."""

from decimal import Decimal
from typing import Any

import simplejson
from django.db import models


class ExactJSONEncoder(simplejson.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"use_decimal": True, "allow_nan": False}))


class ExactJSONDecoder(simplejson.JSONDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"parse_float": Decimal}))


class ExactJSONField(models.JSONField):
    def __init__(self, *args: Any, **options: Any) -> None:
        exact: dict[str, Any] = {"encoder": ExactJSONEncoder, "decoder": ExactJSONDecoder}
        super().__init__(*args, **(options | exact))

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        del options["encoder"], options["decoder"]
        return name, path, args, options
