/** A state machine in a server's process, as its admin port shows it (`go-peer/README.md`, `-fsm`). */
import type { StateMachine } from '../../src/node/raft/state-machine.ts';

export interface PeerMachine<O> {
  readonly machine: StateMachine<O>;
  /** The answer to `/fsm`. @param tail how many of the last commands to show, where they are kept */
  report(tail: number): Promise<unknown>;
  /** The answer to `/get`; undefined where there is no such key, or are no keys at all. */
  get(key: string): Uint8Array | undefined;
  /** The answer to `/dump`: the whole map, byte for byte as in a snapshot; undefined where there is none. */
  dump(): Promise<Uint8Array | undefined>;
  /** What the answer to `/apply` says besides the index. */
  resultOf(outcome: O): unknown;
}
