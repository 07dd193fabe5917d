import type { Result } from '../../src/base/result.ts';

/** The code of a refusal, or 'accepted'. */
export function codeOf(result: Result<unknown>): string {
  return result.ok ? 'accepted' : result.refusal.code;
}
