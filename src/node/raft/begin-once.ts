/** The first entry of a cluster, by the members that its configuration names. */
import { refuse, type Refused } from '../../base/result.ts';
import type { Logger } from '../../observability/log.ts';
import { configurationCodec } from '../../raft/wire/configuration-codec.ts';
import type { Store } from '../../store/store.ts';
import { neverVotedMark } from '../keys.ts';
import { markFile } from '../mark-file.ts';
import { bootstrap, isBlank } from './open-server.ts';
import type { RaftConfig } from './raft-config.ts';

export interface BeginOnceOptions {
  readonly identityKeyFile: string;
  readonly raft: Pick<RaftConfig, 'bootstrap'>;
}

/**
 * A cluster of one's own is begun once: afterwards the log says who belongs to it. A member whose disk was lost does not
 * begin it again: with others like it, it would be a majority beside the one that went on.
 *
 * @returns whether there is a log
 */
export async function beginOnce(
  store: Store,
  { identityKeyFile, raft: { bootstrap: servers } }: BeginOnceOptions,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<boolean> {
  const mark = neverVotedMark(identityKeyFile);
  const neverVoted = markFile(mark);
  if (await isBlank(store)) {
    if (servers.length === 0) return false;
    if (!(await neverVoted.isThere())) {
      const { code, message } = mayHaveVoted(mark).refusal;
      log.warn({ code, mark, servers }, message);
      return false;
    }
    const voters = servers.map((server) => ({ ...server, suffrage: 'voter' as const }));
    await bootstrap(store, configurationCodec, { servers: voters });
    log.info({ servers }, 'begins a cluster');
  }
  await neverVoted.remove();
  return true;
}

function mayHaveVoted(mark: string): Refused {
  const message = 'begins no cluster, as its key may have voted in one, and waits until it is taken in';
  return refuse('raft-may-have-voted', message, { mark });
}
