/**
 * One connection that another server opened: its requests are handed over as they come, and the answers leave in their
 * order, however long each takes.
 */
import { assert } from '../../base/assert.ts';
import { CodedError, codedError, type Refusal } from '../../base/result.ts';
import type { ByteConnection } from '../../net/byte-streams.ts';
import type { RaftRequest, RaftResponse } from '../../raft/messages.ts';
import { speaksProtocol, UNSUPPORTED_PROTOCOL } from '../../raft/wire/protocol-version.ts';
import { RequestParser, type Parsed } from '../../raft/wire/request-parser.ts';
import { encodeError, encodeResponse } from '../../raft/wire/response-codec.ts';
import { SnapshotBody } from './snapshot-body.ts';
import type { IncomingRequest, RaftTransportOptions, RequestAnswer, ServerLimits } from './transport.ts';

/** A request that was read and whose answer has not left. */
interface Slot {
  readonly bytes: number;
  answer: Uint8Array | undefined;
  /** After the answer, or in place of one. */
  closes: boolean;
  /** Bytes of its snapshot are still to come: the other side reads no answer before it has sent all. */
  isReceiving: boolean;
}

export type InboundOptions = Pick<RaftTransportOptions, 'self' | 'dialect' | 'onRequest' | 'wireLimits'>;

/** What all connections share. */
export interface InboundSurroundings {
  readonly options: InboundOptions;
  readonly limits: ServerLimits;
  readonly onRefused: (refusal: Refusal) => void;
  readonly onClosed: () => void;
  /** @param change of the bytes of a request that has begun; false when all connections together hold too many */
  readonly onGathered: (change: number) => boolean;
}

const NOTHING = new Uint8Array(0);

export class InboundConnection {
  readonly #connection: ByteConnection;
  readonly #around: InboundSurroundings;
  readonly #parser: RequestParser;
  /** Came while the parser had not used up what came before. */
  #chunks: Uint8Array[] = [];
  #slots: Slot[] = [];
  #bytesUnderWay = 0;
  #body: SnapshotBody | undefined;
  #gathered = 0;
  /** Nothing more is read: what was asked before is answered, and then it is closed. */
  #isEnding = false;
  #isPaused = false;
  #isRunning = false;
  #heardAtMs = performance.now();
  #hasAsked = false;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(connection: ByteConnection, around: InboundSurroundings) {
    this.#connection = connection;
    this.#around = around;
    this.#parser = new RequestParser(around.options.wireLimits);
    connection.start({
      onBytes: (bytes) => this.#onBytes(bytes),
      onWritable: () => this.#run(),
      onClosed: () => this.#onClosed(),
    });
    this.#watchForStall();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #onBytes(bytes: Uint8Array): void {
    if (this.#isEnding) return;
    this.#heardAtMs = performance.now();
    this.#chunks.push(bytes);
    this.#run();
  }

  /** Parses and hands over as much as there is and may be under way. */
  #run(): void {
    // A handler may settle, and a body be taken, within the call that hands it over.
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (!this.#isEnding && this.#connection.isOpen && !this.#isBusy()) {
      const next = this.#parser.next();
      if (next !== undefined && next.ok) this.#take(next.value);
      else if (next !== undefined) this.#refuse(next.refusal);
      else {
        const chunk = this.#chunks.shift();
        if (chunk === undefined) break;
        this.#parser.push(chunk);
      }
    }
    this.#isRunning = false;
    this.#countGathered();
    this.#adjustFlow();
    this.#watchForStall();
  }

  #isBusy(): boolean {
    if (this.#body !== undefined) return this.#body.isFull;
    const { maxRequestsUnderWay, maxBytesUnderWay } = this.#around.limits;
    return (
      this.#connection.isFull || this.#slots.length >= maxRequestsUnderWay || this.#bytesUnderWay >= maxBytesUnderWay
    );
  }

  #take(parsed: Parsed): void {
    switch (parsed.kind) {
      case 'body':
        this.#body?.push(parsed.bytes);
        if (parsed.left === 0) this.#endBody();
        return;
      case 'unsupported': {
        const version = parsed.refusal.details['version'] as number;
        const slot = this.#newSlot(0, encodeError(`unsupported snapshot version ${version}`));
        this.#receiveBody(slot, parsed.sizeBytes).passOver();
        this.#around.onRefused(parsed.refusal);
        return this.#flush();
      }
      case 'request':
        return this.#takeRequest(parsed.request, parsed.bytes);
    }
  }

  #takeRequest(request: RaftRequest, bytes: number): void {
    const { options } = this.#around;
    const isSpoken = speaksProtocol(request, options.dialect.protocolVersion);
    const slot = this.#newSlot(bytes, isSpoken ? undefined : encodeError(UNSUPPORTED_PROTOCOL));
    const body = request.kind === 'installSnapshot' ? this.#receiveBody(slot, request.sizeBytes) : null;
    if (isSpoken) void this.#answer(slot, { request, remote: this.#connection.remote, snapshot: body }, body);
    else {
      body?.passOver();
      this.#flush();
    }
  }

  async #answer(slot: Slot, incoming: IncomingRequest, body: SnapshotBody | null): Promise<void> {
    const answer = await this.#handled(incoming);
    if (answer.kind === 'response') {
      const [asked, answered] = [incoming.request.kind, answer.response.kind];
      assert(asked === answered, 'a request is answered by its own kind of response', { asked, answered });
    }
    slot.closes = answer.kind === 'close' || (answer.kind === 'error' && answer.closes === true);
    slot.answer = this.#encoded(answer);
    body?.passOver();
    this.#flush();
    this.#run();
  }

  async #handled(incoming: IncomingRequest): Promise<RequestAnswer> {
    try {
      return await this.#around.options.onRequest(incoming);
    } catch (error) {
      if (error instanceof CodedError) return { kind: 'error', error: `${error.code}: ${error.message}` };
      throw error;
    }
  }

  #encoded(answer: RequestAnswer): Uint8Array {
    if (answer.kind === 'response') return this.#encodedResponse(answer.response);
    return answer.kind === 'error' ? encodeError(answer.error) : NOTHING;
  }

  #encodedResponse(response: RaftResponse): Uint8Array {
    const { self, dialect } = this.#around.options;
    const { protocolVersion } = dialect;
    return encodeResponse({ error: '', response, protocolVersion, sender: self, peers: null }, dialect);
  }

  #newSlot(bytes: number, answer: Uint8Array | undefined): Slot {
    const slot: Slot = { bytes, answer, closes: false, isReceiving: false };
    this.#hasAsked = true;
    this.#slots.push(slot);
    this.#bytesUnderWay += bytes;
    return slot;
  }

  #receiveBody(slot: Slot, sizeBytes: number): SnapshotBody {
    const body = new SnapshotBody(this.#around.limits.maxSnapshotBytesWaiting, () => this.#run());
    if (sizeBytes === 0) body.end();
    else {
      slot.isReceiving = true;
      this.#body = body;
    }
    return body;
  }

  #endBody(): void {
    this.#body?.end();
    this.#body = undefined;
    // Only the last request can have a snapshot that has not come.
    const slot = this.#slots.at(-1);
    if (slot !== undefined) slot.isReceiving = false;
    this.#flush();
  }

  /** Sends the answers that are next in the order of the requests. */
  #flush(): void {
    while (this.#slots.length > 0) {
      const { answer, bytes, closes, isReceiving } = this.#slots[0] as Slot;
      if (answer === undefined || isReceiving) return;
      this.#slots.shift();
      this.#bytesUnderWay -= bytes;
      if (answer.length > 0) this.#connection.write(answer);
      if (!closes) continue;
      this.#isEnding = true;
      return this.#connection.close();
    }
  }

  /** As Go: what cannot be made sense of is not answered. What was asked before it is. */
  #refuse(refusal: Refusal): void {
    this.#around.onRefused(refusal);
    this.#isEnding = true;
    this.#chunks = [];
    this.#newSlot(0, NOTHING).closes = true;
    this.#flush();
  }

  #countGathered(): void {
    const change = this.#parser.gatheredBytes - this.#gathered;
    this.#gathered += change;
    if (change === 0 || this.#around.onGathered(change) || this.#isEnding) return;
    const details = {
      what: 'requests that have begun',
      length: this.#gathered,
      max: this.#around.limits.maxGatheredBytes,
    };
    this.#refuse({ code: 'raft-limit-exceeded', message: 'too many bytes of unfinished requests', details });
  }

  #adjustFlow(): void {
    const shouldPause = this.#isEnding || this.#isBusy();
    if (shouldPause === this.#isPaused || !this.#connection.isOpen) return;
    this.#isPaused = shouldPause;
    if (shouldPause) return this.#connection.pause();
    this.#heardAtMs = performance.now();
    this.#connection.resume();
  }

  /** Whether something must come. */
  #isAwaited(): boolean {
    return !this.#isEnding && (!this.#hasAsked || this.#parser.isWithinRequest);
  }

  /** A request that has begun and does not go on holds memory and a place, a connection that never asks holds a place. */
  #watchForStall(): void {
    if (this.#stallTimer !== undefined || !this.#isAwaited()) return;
    const { stalledMs } = this.#around.limits;
    const check = (): void => {
      this.#stallTimer = undefined;
      if (!this.#isAwaited()) return;
      const silentMs = this.#isPaused ? 0 : performance.now() - this.#heardAtMs;
      if (silentMs < stalledMs) this.#stallTimer = setTimeout(check, stalledMs - silentMs);
      else {
        this.#around.onRefused({
          code: 'deadline-passed',
          message: 'a request stopped half-way',
          details: { stalledMs },
        });
        this.#connection.destroy();
      }
    };
    this.#stallTimer = setTimeout(check, stalledMs);
  }

  #onClosed(): void {
    clearTimeout(this.#stallTimer);
    this.#isEnding = true;
    this.#chunks = [];
    this.#slots = [];
    this.#body?.fail(codedError('stream-closed', 'the sender of a snapshot went away', {}));
    this.#around.onGathered(-this.#gathered);
    this.#gathered = 0;
    this.#around.onClosed();
  }
}
