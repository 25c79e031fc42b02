"""What each event means, in a line: when a shop publishes it. The model has the name, and a name is not enough."""

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "order.created": "A customer has placed an order.",
    "order.paid": "The payment has arrived.",
    "order.payment_failed": "The payment was refused, and the customer may try again.",
    "order.processing": "Somebody has begun to put the order together.",
    "order.ready_to_dispatch": "The order is packed and waits for the carrier.",
    "order.shipped": "The carrier has the order.",
    "order.ready_for_pickup": "The order waits for the customer at a point of pickup.",
    "order.storage_expiring": "The order still waits there, and goes back soon.",
    "order.delivered": "The customer has the order.",
    "order.completed": "Everything about the order is done.",
    "order.partially_received": "The customer took a part of the order.",
    "order.not_redeemed": "The customer did not take the order, and it goes back.",
    "order.cancelled": "The order was cancelled, by whomever.",
    "order.refunded": "The money has gone back.",
    "bonus.accrued": "Bonuses were promised or put on the account.",
    "bonus.activated": "Bonuses that were promised can be spent from now on.",
    "bonus.spent": "Bonuses paid for a part of an order.",
    "bonus.returned": "Bonuses that were spent came back.",
    "bonus.expiring": "Bonuses will be lost soon.",
    "bonus.expired": "Bonuses were lost.",
    "bonus.tier_changed": "The customer's level in the programme has changed.",
}
