"use strict";
// The assistant keeps its customer's time; without this it would keep UTC.
for (const field of document.querySelectorAll("[name=timezone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}
