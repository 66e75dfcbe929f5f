"""Gives back what was charged."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def lambda_handler(event, context):
    refund = "re_" + "".join(secrets.choice(ALPHABET) for _ in range(25))
    return {
        "customerId": event["customerId"],
        "fareId": event["fareId"],
        "chargeId": event["chargeId"],
        "refundId": refund,
    }
