from django.urls import path

from targets.api.customers import CustomersView, CustomerView

urlpatterns = [
    path("customers/bulk", CustomersView.as_view()),
    path("customers/<str:customer_id>", CustomerView.as_view()),
]
