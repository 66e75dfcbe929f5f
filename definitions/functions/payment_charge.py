"""Charges the card of a fare. A customerId ending in fail_auth or fail_charge makes the payment fail, to try the saga out."""

import secrets
import string

LETTERS_AND_DIGITS = string.ascii_letters + string.digits


class PaymentAuthException(Exception):
    """The card was not authorised."""


class PaymentChargeException(Exception):
    """The card was authorised, the charge was refused."""


def random_id(prefix):
    return prefix + "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(25))


def lambda_handler(event, context):
    for field in ("customerId", "fareId", "fareAmount"):
        if field not in event:
            raise ValueError(f"the event has no {field}")

    customer_id = event["customerId"]
    if customer_id.endswith("fail_auth"):
        raise PaymentAuthException(f"the card of {customer_id} was not authorised")
    if customer_id.endswith("fail_charge"):
        raise PaymentChargeException(f"the card of {customer_id} could not be charged")

    print(f"charged {event['fareAmount']} for {event['fareId']}")
    return {
        "customerId": customer_id,
        "fareId": event["fareId"],
        "fareAmount": event["fareAmount"],
        "chargeToken": random_id("tok_"),
        "chargeId": random_id("ch_"),
    }
