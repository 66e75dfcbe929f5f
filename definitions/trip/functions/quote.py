"""Quotes a price for one leg of a trip."""

import os


def lambda_handler(event, context):
    price = 2 * event["km"]
    return {"leg": event["leg"], "price": price, "currency": os.environ["CURRENCY"]}
