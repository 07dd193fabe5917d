/**
 * A server becomes a voter once it holds the log: it is added without a vote, catches up, and is promoted. A voter that
 * holds nothing would make the cluster wait for it, or stop where the next one fails (Raft dissertation, 4.2.1).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { refuse, type Result } from '../../base/result.ts';
import type { ConfigurationChange, RaftStatus } from '../../raft/contract.ts';
import type { ServerAddress, ServerId } from '../../raft/messages.ts';

interface Changing {
  status(): RaftStatus;
  changeConfiguration(change: ConfigurationChange): Promise<Result<number>>;
}

/** Between two looks at how far it is. */
const LOOK_AGAIN_MS = 20;
/** What passes by itself: it has not caught up, or the change before is not committed. */
const PASSING: ReadonlySet<string> = new Set(['not-caught-up', 'raft-configuration-pending']);

/**
 * @param limitMs for all of it; a server that is too slow stays without a vote
 * @returns the index of the change that made it a voter. Refusals: those of the engine, the last of them `not-caught-up`
 */
export async function addVoter(
  server: Changing,
  id: ServerId,
  address: ServerAddress,
  limitMs: number,
  nowMs: () => number,
): Promise<Result<number>> {
  const giveUpAtMs = nowMs() + limitMs;
  for (;;) {
    const { servers } = server.status().configuration.configuration;
    const isThere = servers.some((other) => other.id === id && other.address === address);
    const kind = isThere ? 'addVoter' : 'addNonvoter';
    const outcome = await server.changeConfiguration({ kind, id, address });
    if (outcome.ok && isThere) return outcome;
    if (!outcome.ok && !PASSING.has(outcome.refusal.code)) return outcome;
    if (nowMs() >= giveUpAtMs) return outcome.ok ? refuse('not-caught-up', `${id} has no vote yet`, { id }) : outcome;
    if (!outcome.ok) await sleep(LOOK_AGAIN_MS);
  }
}
