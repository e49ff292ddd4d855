"""How the admin writes dates: short, without a.m. and p.m., and never without the time zone."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i e"
TIME_FORMAT = "H:i"
