/** Reads that a member of a Raft cluster serves, and its own: what they hold is the word of the members, and they say so. */
import { ok, refuse, type Result } from '../../base/result.ts';
import type { CommittedBlock } from '../../consensus/engine.ts';
import { DEFAULT_EXCHANGE_LIMITS } from '../../net/exchange.ts';
import type { Host, PeerTarget } from '../../net/host.ts';
import { read, readServer, type ReadHandler } from '../../net/read.ts';
import type { AddressBook } from '../address-book.ts';
import { ReadService } from '../read-service.ts';
import type { ReadOptions, RunningNode } from '../status.ts';
import { peerSource, VerifiedReader, type ReadSource, type VerifiedReaderOptions } from '../verified-reader.ts';
import type { ChainLedger } from './ledger-machine.ts';

const READ_TIMEOUT_MS = 10_000;

export interface MemberReadsOptions extends Pick<VerifiedReaderOptions, 'nowMs' | 'parameters' | 'scheme' | 'trusted'> {
  readonly host: Host;
  readonly addresses: Pick<AddressBook, 'of'>;
  /** Of the genesis: the members that are asked. */
  readonly members: readonly string[];
  readonly perPeerPerSecond: number;
}

export class MemberReads {
  readonly #options: MemberReadsOptions;
  readonly #reader: VerifiedReader;
  /** Null before BASE, and while a snapshot takes the ledger's place. */
  #service: ReadService | null = null;

  constructor(options: MemberReadsOptions) {
    this.#options = options;
    this.#reader = new VerifiedReader({ ...options, trust: 'crash-only' });
  }

  /** @returns how to close it */
  async start(): Promise<() => Promise<void>> {
    const { host, perPeerPerSecond } = this.#options;
    const inAllPerSecond = Math.max(DEFAULT_EXCHANGE_LIMITS.requests.inAllPerSecond, perPeerPerSecond);
    const limits = { requests: { perPeerPerSecond, inAllPerSecond } };
    const server = readServer({ host, handler: this.#handle, limits });
    await server.start();
    return () => server.stop();
  }

  /** The ledger is there, or another one than before, or none. */
  ledger(ledger: ChainLedger | null): void {
    this.#service =
      ledger === null ? null : new ReadService(ledger, { f: 0, own: () => null, collect: async () => [] });
  }

  committed(ledger: ChainLedger | null, blocks: readonly CommittedBlock[]): void {
    if (this.#service === null) this.ledger(ledger);
    else this.#service.committed(blocks);
  }

  read(peerId: string, { from, maxAgeMs }: ReadOptions): ReturnType<RunningNode['read']> {
    const targets = from === undefined ? this.#members() : [targetAt(from)];
    return this.#reader.read(
      peerId,
      targets.map((target) => this.#source(target)),
      { maxAgeMs, timeoutMs: READ_TIMEOUT_MS },
    );
  }

  readonly #handle: ReadHandler = async (peer, request): Promise<Result<readonly Uint8Array[]>> => {
    if (this.#service !== null) return this.#service.handle(peer, request);
    return request.kind === 'epochProofs' ? ok([]) : refuse('before-base', 'the cluster has no ledger yet');
  };

  #members(): readonly PeerTarget[] {
    const { addresses, host, members } = this.#options;
    return members
      .filter((peerId) => peerId !== host.peerId)
      .map((peerId) => ({ peerId, multiaddrs: addresses.of(peerId) }));
  }

  #source(target: PeerTarget): ReadSource {
    const { host } = this.#options;
    return peerSource(target, (to, peerId, deadlineMs) =>
      read(host, to, { kind: 'records', peerIds: [peerId], withAge: true }, { deadlineMs }),
    );
  }
}

function targetAt(address: string): PeerTarget {
  return { peerId: /\/p2p\/([^/]+)$/.exec(address)?.[1] ?? '', multiaddrs: [address] };
}
