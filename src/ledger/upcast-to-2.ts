/**
 * Schema 2: `joined` and `capabilitiesDeclared` say whether the node is an LLM server.
 *
 * A program of schema 1 cannot say so, and one that says what else it can do and not this is no LLM server.
 */
import type { LedgerEvent, LedgerEvent1 } from './event-schema.ts';

export function upcastTo2(event: LedgerEvent1): LedgerEvent {
  switch (event.type) {
    case 'joined':
    case 'capabilitiesDeclared':
      return { ...event, isLlmServer: false };
    default:
      return event;
  }
}
