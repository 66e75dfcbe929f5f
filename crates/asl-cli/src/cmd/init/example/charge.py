class CardDeclined(Exception):
    pass


def lambda_handler(event, context):
    if "id" not in event or "amount" not in event:
        raise ValueError("an order has an id and an amount: asl run order.asl.json --input input.json")
    print(f"charging order {event['id']}")
    if event["amount"] > 50:
        raise CardDeclined("more than the card allows")
    return {"paid": True}
