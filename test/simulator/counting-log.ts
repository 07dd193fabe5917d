/** The log of a simulated node: nobody reads it, but what was refused and found is counted, as coverage. */
import type { Refusal } from '../../src/base/result.ts';
import type { Logger } from '../../src/observability/log.ts';
import type { Tally } from './tally.ts';

export function countingLog(tally: Tally): Logger {
  const debug = ({ refusal }: { readonly refusal?: Refusal }, message: string): void => {
    tally.count(`${message}${refusal === undefined ? '' : `: ${refusal.code}`}`);
  };
  const count = (_details: unknown, message: string): void => tally.count(message);
  return {
    isLevelEnabled: () => false,
    trace: () => undefined,
    debug,
    info: count,
    warn: count,
    error: debug,
    fatal: count,
  } as unknown as Logger;
}
