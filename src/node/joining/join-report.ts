/** What is told of a join: as data, and as a line for people. */
import type { JoinStatus } from '../../consensus/join-contract.ts';

export interface JoinReport extends Omit<JoinStatus, 'phase'> {
  /** As the machine's, and then `restoring`: the chunks are put into the ledger. */
  readonly phase: JoinStatus['phase'] | 'restoring';
  /** Of the ledger that the node has and cannot go on with, as the blocks behind it are pruned; null where it has none. */
  readonly ownHeight: number | null;
}

/** One line for people. */
export function joinText(join: JoinReport): string {
  if (join.ownHeight === null) return textOf(join);
  return `${textOf(join)} (the blocks behind height ${join.ownHeight}, which this node has, are pruned)`;
}

function textOf(join: JoinReport): string {
  const { bytesPerSecond, chunks, chunksKept, height, servers, stuckBecause } = join;
  const dropped = servers.filter(({ droppedBecause }) => droppedBecause !== null);
  const lies =
    dropped.length === 0 ? '' : `; dropped for what they sent: ${dropped.map(({ server }) => server).join(', ')}`;
  if (stuckBecause !== null) return `joining, stuck: ${stuckBecause}${lies}`;
  switch (join.phase) {
    case 'asking':
      return `joining: asks ${servers.length} servers what they have${lies}`;
    case 'manifest':
      return `joining: asks for the manifest of the snapshot at height ${height ?? 0}${lies}`;
    case 'chunks': {
      const rate = (bytesPerSecond / 1e6).toFixed(1);
      const from = servers.filter((server) => server.chunks > 0).length;
      return `joining: ${chunksKept} of ${chunks} chunks of height ${height ?? 0}, ${rate} MB/s from ${from} servers${lies}`;
    }
    case 'restoring':
      return `joining: puts the snapshot of height ${height ?? 0} into the ledger${lies}`;
    case 'ended':
      return `joining: begins at height ${height ?? 0}${lies}`;
  }
}
