"""Credits the customer's account; a special customer's cannot be credited."""


class AccountCreditException(Exception):
    pass


def lambda_handler(event, context):
    if event["customerId"].endswith("fail_credit"):
        raise AccountCreditException("Forced credit failure", event)
    return event
