"""Credits a customer's account. A customerId ending in fail_credit makes it fail, and so does one ending in fail_refund:
only after a failed credit is there anything to refund."""


class AccountCreditException(Exception):
    """The account could not be credited."""


def lambda_handler(event, context):
    for field in ("customerId", "chargeId"):
        if field not in event:
            raise ValueError(f"the event has no {field}")

    customer_id = event["customerId"]
    if customer_id.endswith(("fail_credit", "fail_refund")):
        raise AccountCreditException(f"the account of {customer_id} could not be credited")

    print(f"credited {customer_id} for {event['chargeId']}")
    return event
