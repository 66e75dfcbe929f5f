class CardDeclined(Exception):
    pass


def lambda_handler(event, context):
    print(f"charging order {event['id']}")
    if event["amount"] > 50:
        raise CardDeclined("more than the card allows")
    return {"paid": True}
