/**
 * How an event of an older schema becomes one of the newest. The log is never rewritten: an event stays as it was signed,
 * and is read through the steps below, whoever reads it. One function a step, in a file of its own, pure. A new schema adds
 * its step here, its forms in `event-forms.ts` and its number in `newest-schema.ts`; nothing else has to know that the older
 * ones exist.
 */
import type { LedgerEvent, LedgerEvent1 } from './event-schema.ts';
import { upcastTo2 } from './upcast-to-2.ts';

/** @param schema whose form the event has */
export function upcast(event: LedgerEvent1 | LedgerEvent, schema: number): LedgerEvent {
  let form = event;
  if (schema < 2) form = upcastTo2(form);
  return form as LedgerEvent;
}
