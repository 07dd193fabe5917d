/** The submitter's clock, judged once, at admission: validity of a block never reads it this strictly. */
import { ok, refuse, type Result } from '../base/result.ts';
import type { EventBase } from './event-schema.ts';

export const MAX_SUBMITTER_SKEW_SECONDS = 120;

/**
 * @param nowSeconds this node's clock, unix seconds
 * Refusals: `clock-skew`. (A time in milliseconds never gets this far: the event schema answers `time-unit`.)
 */
export function checkSubmitterClock(event: EventBase, nowSeconds: number): Result<void> {
  const skewSeconds = event.time - nowSeconds;
  if (Math.abs(skewSeconds) > MAX_SUBMITTER_SKEW_SECONDS) {
    return refuse('clock-skew', "the event's time is too far from this node's clock", {
      skewSeconds,
      maxSeconds: MAX_SUBMITTER_SKEW_SECONDS,
    });
  }
  return ok(undefined);
}
