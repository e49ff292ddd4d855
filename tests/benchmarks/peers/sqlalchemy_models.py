"""The tables as classes of SQLAlchemy. Columns are read from the database when the service starts."""

from sqlalchemy import ForeignKey
from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Reflected(DeferredReflection):
    __abstract__ = True


class User(Reflected, Base):
    __tablename__ = "auth_user"


class Brand(Reflected, Base):
    __tablename__ = "targets_brand"


class ApiUser(Reflected, Base):
    __tablename__ = "targets_apiuser"
    user_id: Mapped[int] = mapped_column(ForeignKey("auth_user.id"))
    brand_id: Mapped[int] = mapped_column(ForeignKey("targets_brand.id"))
    user: Mapped[User] = relationship()
    brand: Mapped[Brand] = relationship()


class Permission(Reflected, Base):
    __tablename__ = "auth_permission"


class ContentType(Reflected, Base):
    __tablename__ = "django_content_type"


class Member(Reflected, Base):
    __tablename__ = "auth_user_groups"


class GroupPermission(Reflected, Base):
    __tablename__ = "auth_group_permissions"


class UserPermission(Reflected, Base):
    __tablename__ = "auth_user_user_permissions"


class Customer(Reflected, Base):
    __tablename__ = "targets_customer"


class TargetGroup(Reflected, Base):
    __tablename__ = "targets_targetgroup"


class Target(Reflected, Base):
    __tablename__ = "targets_target"
    target_group_id: Mapped[int] = mapped_column(ForeignKey("targets_targetgroup.id"))
    target_group: Mapped[TargetGroup] = relationship(foreign_keys=target_group_id)


class Cycle(Reflected, Base):
    __tablename__ = "targets_cycle"


class TargetValue(Reflected, Base):
    __tablename__ = "targets_targetvalue"


class Reward(Reflected, Base):
    __tablename__ = "rewards_reward"


class Grant(Reflected, Base):
    __tablename__ = "rewards_grant"


class Participation(Reflected, Base):
    __tablename__ = "enrollments_participation"


class Progress(Reflected, Base):
    __tablename__ = "enrollments_progress"


class Receipt(Reflected, Base):
    __tablename__ = "enrollments_receipt"


class Stay(Reflected, Base):
    __tablename__ = "enrollments_stay"
    leave_receipt_id: Mapped[int | None] = mapped_column(ForeignKey("enrollments_receipt.id"))
    leave_receipt: Mapped[Receipt | None] = relationship(foreign_keys=leave_receipt_id)
