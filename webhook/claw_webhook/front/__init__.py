"""What customers see: plans and checkout, the success page, sign-in and account, the key and the export.

`storefront.py` puts it together. Pages are templates of `claw_templates`; `pages.py` is how they leave.
"""
