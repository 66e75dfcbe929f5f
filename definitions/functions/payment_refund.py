"""Gives back what was charged for a fare. A customerId ending in fail_refund makes it fail."""

import secrets
import string

LETTERS_AND_DIGITS = string.ascii_letters + string.digits


class RefundException(Exception):
    """The charge could not be refunded."""


def random_id(prefix):
    return prefix + "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(25))


def lambda_handler(event, context):
    for field in ("fareId", "chargeId"):
        if field not in event:
            raise ValueError(f"the event has no {field}")

    if event.get("customerId", "").endswith("fail_refund"):
        raise RefundException(f"the charge {event['chargeId']} could not be refunded")

    print(f"refunded {event['chargeId']}")
    return {
        "fareId": event["fareId"],
        "refundId": random_id("re_"),
        "chargeId": event["chargeId"],
    }
