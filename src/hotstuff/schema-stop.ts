/**
 * Where a validator stops whose program does not know the next event schema: at the last block that it understands.
 *
 *     H - 1            committed: everything up to here was executed, voted for, and is served
 *     H, H + 1, ...    of a schema that it does not know: not executed, not voted for, not proposed, not kept
 *
 * Up to then it is a validator like any other that refuses the blocks from H on, on those forks that have the decision.
 * Once H - 1 is final there is no other fork, and from then on it casts and sends nothing but what it remembers of the
 * others' ballots, which those who start again ask for. Its safety record stays as it is for the program that goes on.
 */
import type { Input } from '../consensus/engine.ts';
import type { CollectOutcome } from '../qc/collect.ts';
import { receiveConnected, receiveWitness } from './company.ts';
import type { AdmittedMessage } from './messages.ts';
import type { Replica } from './replica.ts';

/** Stops where the block after the committed head is of a schema that the program does not know. @returns whether it did */
export function stopWhereUnknown(replica: Replica): boolean {
  const { machine, mempool, turn } = replica;
  const known = machine.understands(machine.head, machine.head.height + 1);
  if (known.ok) return false;
  replica.stopped = known.refusal;
  // Others voted for what is not understood here, and may wait for what was made of their votes.
  if (replica.formed !== null) turn.send({ kind: 'certificate', certificate: replica.formed }, 'all');
  replica.pending = null;
  replica.orphans.clear();
  for (const event of mempool.next(mempool.size)) {
    mempool.remove(event.id);
    turn.reject(event.id, known.refusal);
  }
  return true;
}

/** All that a validator does that has stopped. */
export function takeStopped(replica: Replica, input: Input<AdmittedMessage, CollectOutcome>): void {
  const { stopped, turn } = replica;
  if (stopped === null) return;
  if (input.kind === 'submitted') for (const { id } of input.events) turn.reject(id, stopped);
  else if (input.kind === 'connected') receiveConnected(replica, input.peer);
  else if (input.kind === 'disconnected') replica.connected.delete(input.peer);
  else if (input.kind === 'received' && input.message.kind === 'witness') {
    receiveWitness(replica, input.from, input.message);
  }
}
