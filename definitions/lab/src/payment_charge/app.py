"""Charges a fare. The end of the customerId asks for a failure."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


class PaymentAuthException(Exception):
    pass


class PaymentChargeException(Exception):
    pass


def random_id(prefix):
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(25))


def lambda_handler(event, context):
    if event["customerId"].endswith("fail_charge"):
        raise PaymentChargeException("Forced charge transaction failure", event)
    if event["customerId"].endswith("fail_auth"):
        raise PaymentAuthException("Forced auth transaction failure", event)
    return {
        "customerId": event["customerId"],
        "fareId": event["fareId"],
        "fareAmount": event["fareAmount"],
        "chargeToken": random_id("tok_"),
        "chargeId": random_id("ch_"),
    }
