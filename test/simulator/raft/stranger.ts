/** Nobody whom a cluster knows, who speaks its language: with a higher term than anybody's, and a name of its own. */
import { ENTRY_TYPES, type Entry, type RaftRequest } from '../../../src/raft/messages.ts';
import { DEFAULT_DIALECT } from '../../../src/raft/wire/dialect.ts';
import { encodeRequest } from '../../../src/raft/wire/request-codec.ts';
import type { Scheduler } from '../scheduler.ts';
import type { StrangeMessage } from './episode.ts';
import { commandOf } from './registers.ts';
import type { Endpoint } from './simulated-connection.ts';
import type { Listening, NetworkedMachine, SimulatedStreams } from './simulated-streams.ts';

const DIAL_MS = 1_000;

export class Stranger implements NetworkedMachine {
  readonly id: number;
  readonly serverId = 'stranger';
  readonly address: string;
  readonly identity: NetworkedMachine['identity'];
  readonly closesOnPreVote = false;
  readonly life: Endpoint & Listening;
  readonly #protocolVersion: 2 | 3;

  /** @param id behind those of all servers */
  constructor(id: number, streams: 'tcp' | 'libp2p', protocolVersion: 2 | 3) {
    this.id = id;
    const ip = '10.9.9.9';
    const peerId = `12D3KooW${'9'.repeat(44)}`;
    this.address = streams === 'tcp' ? `${ip}:7000` : peerId;
    this.identity = streams === 'tcp' ? { kind: 'address', ip } : { kind: 'peer', peerId };
    this.life = { ended: false, machine: id, mayActOn: () => true, onConnection: null };
    this.#protocolVersion = protocolVersion;
  }

  /** @param term of the message */
  speak(network: SimulatedStreams, scheduler: Scheduler, to: string, says: StrangeMessage, term: number): void {
    const bytes = encodeRequest(this.#requestOf(says, term), DEFAULT_DIALECT);
    scheduler.run(this.life, () => {
      network
        .streamsOf(this.life, this)
        .dial(to, DIAL_MS)
        .then(
          (connection) => {
            connection.start({ onBytes: () => undefined, onWritable: () => undefined, onClosed: () => undefined });
            connection.write(bytes);
          },
          () => undefined,
        );
    });
  }

  #requestOf(says: StrangeMessage, term: number): RaftRequest {
    const { address, serverId } = this;
    const id = this.identity.kind === 'peer' ? address : serverId;
    const header = { protocolVersion: this.#protocolVersion, sender: { id, address } };
    const logEnd = { lastIndex: 1_000_000, lastTerm: term };
    const append = { kind: 'appendEntries', ...header, term, leader: address } as const;
    switch (says) {
      case 'heartbeat':
        return { ...append, prevIndex: 0, prevTerm: 0, entries: null, commitIndex: 0 };
      case 'append': {
        const data = commandOf('k0', 'of a stranger');
        const type = ENTRY_TYPES.command;
        const entry: Entry = { index: 1, term, type, data, extensions: null, appendedAt: undefined };
        return { ...append, prevIndex: 0, prevTerm: 0, entries: [entry], commitIndex: 1 };
      }
      case 'vote':
        return { kind: 'requestVote', ...header, term, candidate: address, ...logEnd, isTransfer: true };
      case 'preVote':
        return { kind: 'preVote', ...header, term, ...logEnd };
      case 'timeoutNow':
        return { kind: 'timeoutNow', ...header };
      case 'snapshot': {
        const configuration = { servers: [{ id, address, suffrage: 'voter' }] } as const;
        const snapshot = { ...logEnd, configuration, configurationIndex: 1_000_000, sizeBytes: 0 };
        return { kind: 'installSnapshot', ...header, term, leader: address, ...snapshot };
      }
    }
  }
}
