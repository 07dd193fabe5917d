/** Stands in for the transport until it is there: one connection for each channel and server. */
import type { ByteConnection, ByteStreams } from '../../../src/net/byte-streams.ts';
import type { IncomingAsk, OpenLinks, OutgoingCall } from '../../../src/node/raft/links.ts';
import type { RaftStatus } from '../../../src/raft/contract.ts';
import type { RaftRequest, RaftResponse, Server } from '../../../src/raft/messages.ts';
import { senderOf, type KnownServer } from '../../../src/raft/sender.ts';
import type { Dialect } from '../../../src/raft/wire/dialect.ts';
import { encodeRequest } from '../../../src/raft/wire/request-codec.ts';
import { RequestParser } from '../../../src/raft/wire/request-parser.ts';
import { encodeError, encodeResponse } from '../../../src/raft/wire/response-codec.ts';
import { ResponseParser } from '../../../src/raft/wire/response-parser.ts';

export interface LinksOptions {
  readonly streams: ByteStreams;
  readonly self: Pick<Server, 'id' | 'address'>;
  readonly dialect: Dialect;
  readonly listed: () => readonly KnownServer[];
  readonly status: () => RaftStatus | undefined;
}

const CALL_MS = 2_000;

export function linksOver(options: LinksOptions): OpenLinks {
  return async (ask) => {
    const { streams, dialect } = options;
    const lines = new Map<string, Line>();
    await streams.listen((connection) => serve(connection, options, ask));
    return {
      call: (call) => {
        if (call.request.kind === 'preVote' && !dialect.preVote) return call.failed('closed');
        const key = `${call.channel} ${call.address}`;
        let line = lines.get(key);
        if (line === undefined || line.isClosed) lines.set(key, (line = new Line(streams, call.address, dialect)));
        line.call(call);
      },
      configured: () => undefined,
      stop: async () => streams.stop(),
    };
  };
}

class Line {
  isClosed = false;
  readonly #dialect: Dialect;
  readonly #waiting: { call: OutgoingCall; isSent: boolean }[] = [];
  readonly #parser = new ResponseParser();
  #connection: ByteConnection | null = null;

  constructor(streams: ByteStreams, address: string, dialect: Dialect) {
    this.#dialect = dialect;
    streams.dial(address, CALL_MS).then(
      (connection) => {
        this.#connection = connection;
        connection.start({
          onBytes: (bytes) => this.#answers(bytes),
          onWritable: () => undefined,
          onClosed: () => this.#fail('closed'),
        });
        for (const waiting of this.#waiting) this.#send(waiting);
      },
      () => this.#fail('unreachable'),
    );
  }

  call(call: OutgoingCall): void {
    const waiting = { call, isSent: false };
    this.#waiting.push(waiting);
    if (this.#connection !== null) this.#send(waiting);
    setTimeout(() => {
      if (!this.#waiting.includes(waiting)) return;
      this.#fail('timeout');
      this.#connection?.destroy();
    }, CALL_MS);
  }

  #send(waiting: { call: OutgoingCall; isSent: boolean }): void {
    if (waiting.isSent) return;
    waiting.isSent = true;
    const { body, request } = waiting.call;
    this.#connection?.write(encodeRequest(request, this.#dialect));
    if (body !== null) void this.#sendBody(body);
  }

  async #sendBody(body: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of body) this.#connection?.write(piece);
  }

  #answers(bytes: Uint8Array): void {
    this.#parser.push(bytes);
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const next = this.#parser.next(first.call.request.kind);
      if (next === undefined) return;
      if (!next.ok) throw new Error(next.refusal.message);
      this.#waiting.shift();
      const { response } = next.value;
      if (response === null) first.call.failed('error');
      else first.call.answered(response);
    }
  }

  #fail(failure: 'closed' | 'timeout' | 'unreachable'): void {
    this.isClosed = true;
    for (const { call } of this.#waiting.splice(0)) call.failed(failure);
  }
}

function serve(connection: ByteConnection, options: LinksOptions, ask: (ask: IncomingAsk) => void): void {
  const parser = new RequestParser();
  const answers: { bytes: Uint8Array | null }[] = [];
  let body: Body | null = null;
  const flush = () => {
    for (let [first] = answers; first !== undefined && first.bytes !== null; [first] = answers) {
      connection.write(first.bytes);
      answers.shift();
    }
  };
  const asked = (request: RaftRequest) => {
    const answer: { bytes: Uint8Array | null } = { bytes: null };
    answers.push(answer);
    const done = (bytes: Uint8Array) => {
      answer.bytes = bytes;
      flush();
    };
    body = request.kind === 'installSnapshot' ? new Body(request.sizeBytes) : null;
    const status = options.status();
    const sender = senderOf(connection.remote, request, {
      self: options.self.id,
      configured: status?.configuration.configuration.servers ?? [],
      listed: options.listed(),
      leader: status?.leader?.id ?? null,
      ipsOf: (host) => [host],
    });
    if (!sender.ok) return done(encodeError(sender.refusal.code));
    const { dialect, self } = options;
    ask({
      from: sender.value.id,
      isListed: sender.value.isListed,
      request,
      body,
      answer: (response: RaftResponse) => {
        const { protocolVersion } = dialect;
        done(encodeResponse({ error: '', response, protocolVersion, sender: self, peers: null }, dialect));
      },
      refuse: (refusal) => done(encodeError(refusal.message)),
    });
  };
  connection.start({
    onBytes: (bytes) => {
      parser.push(bytes);
      for (let next = parser.next(); next !== undefined; next = parser.next()) {
        if (!next.ok) return connection.destroy();
        if (next.value.kind === 'request') asked(next.value.request);
        else if (next.value.kind === 'body') body?.push(next.value.bytes);
      }
    },
    onWritable: () => undefined,
    onClosed: () => body?.close(),
  });
}

class Body implements AsyncIterable<Uint8Array> {
  readonly #pieces: Uint8Array[] = [];
  #left: number;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(sizeBytes: number) {
    this.#left = sizeBytes;
  }

  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    while (this.#left > 0) {
      const piece = this.#pieces.shift();
      if (piece === undefined) {
        if (this.#isClosed) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      } else {
        this.#left -= piece.length;
        yield piece;
      }
    }
  }
}
