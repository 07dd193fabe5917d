/** What those who watch are told of a block. */
import type { CommittedBlock } from '../consensus/engine.ts';
import type { CommitNotice } from './status.ts';

export function noticeOf({ block }: CommittedBlock): CommitNotice {
  const { height, stateRoot, timestamp } = block.header;
  return {
    height,
    blockId: block.id,
    stateRoot,
    timestamp,
    events: block.events.map(({ event, id }) => ({ id, type: event.type, peerId: event.peerId, seq: event.seq })),
  };
}
