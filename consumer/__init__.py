"""Vestnik: order and bonus events become push notifications, within the providers' quotas, with nothing lost."""
