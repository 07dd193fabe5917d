/** Reads that a member of a Raft cluster serves, and its own: what they hold is the word of the members, and they say so. */
import { CodedError, codedError, ok, refuse, type Refused, type Result } from '../../base/result.ts';
import type { CommittedBlock } from '../../consensus/engine.ts';
import { parsePeerId } from '../../ledger/identity.ts';
import { DEFAULT_EXCHANGE_LIMITS } from '../../net/exchange.ts';
import type { Host, PeerTarget } from '../../net/host.ts';
import { read, readIndexCodec, readServer, type ReadHandler, type ReadRequest } from '../../net/read.ts';
import type { AddressBook } from '../address-book.ts';
import { ReadService } from '../read-service.ts';
import type { ReadOptions, RunningNode } from '../status.ts';
import { peerSource, VerifiedReader, type ReadSource, type VerifiedReaderOptions } from '../verified-reader.ts';
import type { ChainLedger } from './ledger-machine.ts';
import { LinearizableReads, type LinearizableReadsOptions } from './linearizable-reads.ts';
import { Waiters } from './waiters.ts';

const READ_TIMEOUT_MS = 10_000;

export interface MemberReadsOptions extends Pick<VerifiedReaderOptions, 'nowMs' | 'parameters' | 'scheme' | 'trusted'> {
  readonly host: Host;
  readonly addresses: Pick<AddressBook, 'of'>;
  /** Of the genesis: the members that are asked. */
  readonly members: readonly string[];
  readonly perPeerPerSecond: number;
  readonly server: LinearizableReadsOptions['server'];
}

/** The blocks of the entries that are applied are on the disk by then, unless it stands still. */
const DURABLE_DEADLINE_MS = 2_000;

/** What is read from, and who waits for its blocks. */
interface Serving {
  readonly ledger: ChainLedger;
  readonly service: ReadService;
  readonly heights: Waiters;
}

export class MemberReads {
  readonly #options: MemberReadsOptions;
  readonly #reader: VerifiedReader;
  readonly #linearizable: LinearizableReads;
  /** Null before BASE, and while a snapshot takes the ledger's place. */
  #serving: Serving | null = null;

  constructor(options: MemberReadsOptions) {
    this.#options = options;
    this.#reader = new VerifiedReader({ ...options, trust: 'crash-only' });
    this.#linearizable = new LinearizableReads({
      server: options.server,
      askLeader: (id, deadlineMs) => this.#askLeader(id, deadlineMs),
    });
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
    this.#serving?.heights.close();
    if (ledger === null) {
      this.#serving = null;
      return;
    }
    const service = new ReadService(ledger, { f: 0, own: () => null, collect: async () => [] });
    this.#serving = { ledger, service, heights: new Waiters(ledger.log.head().height) };
  }

  /** Of blocks that are durable. */
  committed(ledger: ChainLedger | null, blocks: readonly CommittedBlock[]): void {
    if (this.#serving === null) return this.ledger(ledger);
    this.#serving.service.committed(blocks);
    const last = blocks.at(-1);
    if (last !== undefined) this.#serving.heights.reached(last.block.header.height);
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
    if (request.kind === 'readIndex') {
      const index = await this.#linearizable.index();
      return index.ok ? ok([readIndexCodec.encode(index.value)]) : index;
    }
    if (request.kind !== 'linearizable') return this.#serve(peer, request);
    const ready = await this.#ready();
    return ready.ok ? this.#serve(peer, { kind: 'records', peerIds: request.peerIds, withAge: false }) : ready;
  };

  async #serve(peer: string, request: ReadRequest): Promise<Result<readonly Uint8Array[]>> {
    if (this.#serving !== null) return this.#serving.service.handle(peer, request);
    return request.kind === 'epochProofs' ? ok([]) : refuse('before-base', 'the cluster has no ledger yet');
  }

  /** What the read must see is applied, and its block is one that reads are served from. */
  async #ready(): Promise<Result<void>> {
    const ready = await this.#linearizable.ready();
    if (!ready.ok) return ready;
    const serving = this.#serving;
    const height = serving?.ledger.machine.head.height ?? 0;
    if (serving === null || (await serving.heights.upTo(height, DURABLE_DEADLINE_MS))) return ok(undefined);
    return refuse('read-behind', 'the block that the read must see is not on this disk yet; ask another', { height });
  }

  /** A server's id need not be its peer id: then all members are asked, of whom the leader alone answers with an index. */
  async #askLeader(id: string, deadlineMs: number): Promise<Result<number>> {
    const targets = parsePeerId(id).ok ? [this.#target(id)] : this.#members();
    return firstIndex(targets.map((target) => this.#readIndexAt(target, deadlineMs)));
  }

  async #readIndexAt(target: PeerTarget, deadlineMs: number): Promise<Result<number>> {
    const answer = await read(this.#options.host, target, { kind: 'readIndex' }, { deadlineMs });
    if (!answer.ok) return answer;
    const [index] = answer.value;
    const decoded = index === undefined ? undefined : readIndexCodec.decode(index);
    if (decoded?.ok === true) return decoded;
    throw codedError('answer-invalid', 'the leader answered with no index', { peerId: target.peerId });
  }

  #members(): readonly PeerTarget[] {
    const { host, members } = this.#options;
    return members.filter((peerId) => peerId !== host.peerId).map((peerId) => this.#target(peerId));
  }

  #target(peerId: string): PeerTarget {
    return { peerId, multiaddrs: this.#options.addresses.of(peerId) };
  }

  #source(target: PeerTarget): ReadSource {
    const { host } = this.#options;
    return peerSource(target, (to, request, deadlineMs) => read(host, to, request, { deadlineMs }));
  }
}

/**
 * The first that is an index; where there is none, the refusal of one that was reached.
 *
 * @throws CodedError when none could be asked
 */
async function firstIndex(asked: readonly Promise<Result<number>>[]): Promise<Result<number>> {
  const refused: Refused[] = [];
  const indexes = asked.map(async (one) => {
    const answer = await one;
    if (answer.ok) return answer;
    refused.push(answer);
    throw new CodedError(answer.refusal);
  });
  try {
    return await Promise.any(indexes);
  } catch (error) {
    const [first] = refused;
    if (first !== undefined) return first;
    throw error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  }
}

function targetAt(address: string): PeerTarget {
  return { peerId: /\/p2p\/([^/]+)$/.exec(address)?.[1] ?? '', multiaddrs: [address] };
}
