/**
 * Who proposes in a round: everybody in turn. A function of epoch and round alone, so that replicas whose committed
 * heads differ agree on it.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';

export function leaderOf(epoch: number, round: number, n: number): ValidatorIndex {
  return (epoch + round) % n;
}
