from django.db import models


class RewardKind(models.TextChoices):
    POINTS = "POINTS", "Points"
    COUPON = "COUPON", "Coupon"
    BADGE = "BADGE", "Badge"
    CUSTOM = "CUSTOM", "Custom"
