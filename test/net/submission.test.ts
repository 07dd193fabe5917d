import { describe, expect, it } from 'vitest';
import { textFromUtf8, utf8 } from '../../src/base/bytes.ts';
import { codedError, type Refusal } from '../../src/base/result.ts';
import { writeFrameHeader } from '../../src/net/frame-decoder.ts';
import { FrameStream } from '../../src/net/frames.ts';
import type { Host } from '../../src/net/host.ts';
import { SubmissionClient, submitJson } from '../../src/net/submission-client.ts';
import { SubmissionServer, type SubmissionHandler, type SubmissionLimits } from '../../src/net/submission-server.ts';
import {
  SUBMISSION_PROTOCOL,
  submissionReplyCodec,
  submissionRequestCodec,
  type Submission,
  type SubmissionAnswer,
} from '../../src/net/submission-wire.ts';
import { readWhole } from '../../src/net/whole-stream.ts';
import { codeOf, filled, rawStream, startHost, startHosts, targetOf, until } from './network.ts';

const ACKNOWLEDGED: SubmissionAnswer = { kind: 'acknowledged', height: 7 };
const OPEN = { deadlineMs: 5_000 };

interface Served {
  readonly server: SubmissionServer;
  readonly serving: Host;
  readonly asking: Host;
  readonly submissions: { readonly peer: string; readonly submission: Submission }[];
  readonly refusals: string[];
}

const acknowledgeAll: SubmissionHandler = async (_peer, submission) =>
  submission.kind === 'json' ? [ACKNOWLEDGED] : submission.events.map(() => ACKNOWLEDGED);

async function serve(handler = acknowledgeAll, limits: Partial<SubmissionLimits> = {}): Promise<Served> {
  const [serving, asking] = (await startHosts(2)) as [Host, Host];
  const submissions: Served['submissions'] = [];
  const refusals: string[] = [];
  const server = new SubmissionServer({
    host: serving,
    limits,
    handler: (peer, submission) => {
      submissions.push({ peer, submission });
      return handler(peer, submission);
    },
    onRefused: (protocol, _peer, { code }: Refusal) => {
      expect(protocol).toBe(SUBMISSION_PROTOCOL);
      refusals.push(code);
    },
  });
  await server.start();
  return { server, serving, asking, submissions, refusals };
}

/** What a peer gets that sends these bytes and ends its side. */
async function answerTo({ asking, serving }: Served, bytes: Uint8Array, end = true): Promise<string> {
  const stream = await rawStream(asking, serving, SUBMISSION_PROTOCOL);
  stream.send(bytes);
  if (end) void stream.close();
  const read = await readWhole(stream, { maxBytes: 1 << 20, deadlineMs: 5_000 });
  void stream.close();
  return read.ok ? textFromUtf8(read.value) : read.refusal.code;
}

async function codeAnswered(served: Served, bytes: Uint8Array, end = true): Promise<unknown> {
  const answer = JSON.parse(await answerTo(served, bytes, end)) as { readonly error: { readonly code: string } };
  expect(served.submissions).toEqual([]);
  expect(served.refusals).toEqual([answer.error.code]);
  return answer.error.code;
}

describe('JSON submission', () => {
  it('gives the object and the authenticated peer to the handler and answers "ACK"', async () => {
    const served = await serve();
    expect(await answerTo(served, utf8('{"event":{"a":[1,2]},"signature":"x"}'))).toBe('"ACK"');
    expect(served.submissions).toEqual([
      { peer: served.asking.peerId, submission: { kind: 'json', value: { event: { a: [1, 2] }, signature: 'x' } } },
    ]);
  });

  it('answers a refusal of the handler with its code and numbers', async () => {
    const refusal: Refusal = { code: 'superseded', message: 'a later event applied', details: { last: 5n, seq: 3 } };
    const served = await serve(async () => [{ kind: 'refused', refusal }]);
    const result = await submitJson(served.asking, targetOf(served.serving), { event: {} }, OPEN);
    expect(result).toEqual({
      ok: false,
      refusal: { code: 'superseded', message: 'a later event applied', details: { last: '5', seq: 3 } },
    });
    expect(served.refusals).toEqual([]);
  });

  it('is acknowledged to the client of this program', async () => {
    const served = await serve();
    expect(await submitJson(served.asking, targetOf(served.serving), { event: {} }, OPEN)).toMatchObject({ ok: true });
  });

  it.each([
    ['bytes that are no UTF-8', Uint8Array.of(0x7b, 0xff, 0xfe), 'undecodable'],
    ['half an object', utf8('{"event":{"a"'), 'undecodable'],
    ['nothing', utf8(' '), 'undecodable'],
    ['a key given twice', utf8('{"event":{"a":1,"a":2}}'), 'duplicate-key'],
    ['a key given twice in two spellings', utf8('{"a":1,"\\u0061":2}'), 'duplicate-key'],
    ['deep nesting', utf8('['.repeat(20_000)), 'too-deep'],
    ['more than is allowed', utf8(`{"a":"${'x'.repeat(40_000)}"}`), 'too-large'],
  ])('refuses %s by code, and the handler never sees it', async (_what, bytes, code) => {
    expect(await codeAnswered(await serve(), bytes)).toBe(code);
  });

  it('answers too much without waiting for its end', async () => {
    expect(await codeAnswered(await serve(), utf8(`"${'x'.repeat(40_000)}`), false)).toBe('too-large');
  });

  it('ends a sender of a byte now and then at the deadline of the whole text', async () => {
    const served = await serve(acknowledgeAll, { receiveDeadlineMs: 80 });
    const stream = await rawStream(served.asking, served.serving, SUBMISSION_PROTOCOL);
    const trickle = setInterval(() => stream.writeStatus === 'writable' && stream.send(utf8(' ')), 10);
    const read = await readWhole(stream, { maxBytes: 1000, deadlineMs: 5_000 });
    clearInterval(trickle);
    await stream.close();
    expect(read.ok && textFromUtf8(read.value)).toContain('"code":"deadline-passed"');
    expect(served.refusals).toEqual(['deadline-passed']);
  });

  it('ends a stream that stays silent', async () => {
    const served = await serve(acknowledgeAll, { receiveDeadlineMs: 40 });
    const stream = await rawStream(served.asking, served.serving, SUBMISSION_PROTOCOL);
    const read = await readWhole(stream, { maxBytes: 1000, deadlineMs: 5_000 });
    expect(read.ok && textFromUtf8(read.value)).toContain('deadline-passed');
    await stream.close();
  });

  it('answers busy, with when to retry, beyond the rate of a peer and not to another peer', async () => {
    const served = await serve(acknowledgeAll, { events: { perPeerPerSecond: 2, inAllPerSecond: 100 } });
    const to = targetOf(served.serving);
    const results = await Promise.all([1, 2, 3, 4].map(() => submitJson(served.asking, to, {}, OPEN)));
    const refused = results.flatMap((result) => (result.ok ? [] : [result.refusal]));
    expect(refused.map(({ code }) => code)).toEqual(['busy', 'busy']);
    expect(refused[0]?.details).toMatchObject({ limit: 'peer', retryAfterMs: expect.any(Number) as number });
    const other = await startHost();
    expect((await submitJson(other, to, {}, OPEN)).ok).toBe(true);
  });

  it('bounds the streams of a peer that opens a thousand, by code, and serves another', async () => {
    const served = await serve(acknowledgeAll, { maxStreamsPerPeer: 8, receiveDeadlineMs: 400 });
    const opened = await Promise.allSettled(
      Array.from({ length: 1000 }, () => rawStream(served.asking, served.serving, SUBMISSION_PROTOCOL)),
    );
    await until(() => served.refusals.includes('too-many-streams'), 'streams are refused by code');
    const summary = served.serving.connections().find(({ peerId }) => peerId === served.asking.peerId);
    expect(summary === undefined || summary.streams <= 256).toBe(true);
    expect(opened.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    const other = await startHost();
    expect((await submitJson(other, targetOf(served.serving), {}, OPEN)).ok).toBe(true);
    expect(served.submissions.map(({ peer }) => peer)).toEqual([other.peerId]);
  });
});

describe('binary submission', () => {
  it('keeps 1024 batches under way on one stream and matches the answers by number', async () => {
    const waiting: { readonly name: number; readonly answer: (answers: readonly SubmissionAnswer[]) => void }[] = [];
    const served = await serve(
      (_peer, submission) =>
        new Promise((answer) => {
          expect(submission.kind).toBe('binary');
          if (submission.kind === 'binary') {
            const [event] = submission.events as [Uint8Array];
            waiting.push({ name: ((event[0] as number) << 8) | (event[1] as number), answer });
          }
        }),
    );
    const client = await SubmissionClient.open(served.asking, targetOf(served.serving), OPEN);
    const answers = Array.from({ length: 1024 }, (_, i) => {
      const event = filled(300);
      event.set([i >> 8, i & 255]);
      return client.submit([event]);
    });
    await until(() => waiting.length === 1024, 'all batches are with the handler');
    expect(served.server.pendingEvents).toBe(1024);
    for (const { name, answer } of waiting.reverse()) answer([{ kind: 'acknowledged', height: name }]);
    expect(await Promise.all(answers)).toEqual(
      Array.from({ length: 1024 }, (_, i) => [{ kind: 'acknowledged', height: i }]),
    );
    await client.close();
    expect(served.server.pendingEvents).toBe(0);
  });

  it('answers each event of a batch in its order, and says what was asked for', async () => {
    const served = await serve(async (_peer, submission) =>
      submission.kind === 'json'
        ? []
        : submission.events.map((event) =>
            event[0] === 1
              ? { kind: 'acknowledged', height: null }
              : { kind: 'refused', refusal: { code: 'bad-signature', message: 'no', details: {} } },
          ),
    );
    const client = await SubmissionClient.open(served.asking, targetOf(served.serving), OPEN);
    expect(await client.submit([filled(9, 1), filled(9, 2), filled(9, 1)], 'accepted')).toMatchObject([
      { kind: 'acknowledged', height: null },
      { kind: 'refused', refusal: { code: 'bad-signature' } },
      { kind: 'acknowledged', height: null },
    ]);
    expect(served.submissions[0]?.submission).toMatchObject({ acknowledge: 'accepted' });
    await client.close();
  });

  it('refuses bytes that are no request with its code, and ends the stream', async () => {
    const served = await serve();
    for (const bytes of [filled(20, 0xc1), filled(2000, 0x91), submissionRequestCodec.encode(REQUEST).subarray(0, 9)]) {
      const stream = new FrameStream(await rawStream(served.asking, served.serving, SUBMISSION_PROTOCOL), '', {
        maxFrameBytes: 1 << 20,
      });
      await stream.write(bytes);
      const reply = submissionReplyCodec.decode((await stream.next()) as Uint8Array);
      expect(reply).toMatchObject({ value: { kind: 'refused', number: null, refusal: { code: 'undecodable' } } });
      expect(await stream.next()).toBeUndefined();
      await stream.finish();
    }
    expect(served.refusals).toEqual(['undecodable', 'undecodable', 'undecodable']);
    expect(served.submissions).toEqual([]);
  });

  it('resets a stream with a frame that is too large or cut short', async () => {
    const served = await serve();
    const tooLarge = new Uint8Array(4);
    writeFrameHeader(tooLarge, 0, (1 << 20) + 1);
    for (const bytes of [tooLarge, Uint8Array.of(0, 0, 1, 0, 5)]) {
      const stream = await rawStream(served.asking, served.serving, SUBMISSION_PROTOCOL);
      stream.send(bytes);
      void stream.close();
      expect((await new FrameStream(stream, '', { maxFrameBytes: 10 }).closed)?.code).toBe('stream-closed');
    }
    expect(served.refusals).toEqual(['frame-too-large', 'frame-truncated']);
  });

  it('resets a stream whose frame trickles in', async () => {
    const served = await serve(acknowledgeAll, { frameDeadlineMs: 60 });
    const stream = await rawStream(served.asking, served.serving, SUBMISSION_PROTOCOL);
    stream.send(Uint8Array.of(0, 0, 0, 200));
    const trickle = setInterval(() => stream.writeStatus === 'writable' && stream.send(filled(1)), 10);
    expect((await new FrameStream(stream, '', { maxFrameBytes: 10 }).closed)?.code).toBe('stream-closed');
    clearInterval(trickle);
    expect(served.refusals).toEqual(['deadline-passed']);
  });

  it('answers busy when the queue of the handler is full', async () => {
    const gate = Promise.withResolvers<readonly SubmissionAnswer[]>();
    const served = await serve(() => gate.promise, { maxEvents: 2 });
    const client = await SubmissionClient.open(served.asking, targetOf(served.serving), OPEN);
    const first = client.submit([filled(9), filled(9)]);
    const [refused] = await client.submit([filled(9)]);
    expect(refused).toMatchObject({ kind: 'refused', refusal: { code: 'busy', details: { retryAfterMs: 250 } } });
    gate.resolve([ACKNOWLEDGED, ACKNOWLEDGED]);
    expect(await first).toEqual([ACKNOWLEDGED, ACKNOWLEDGED]);
    await client.close();
  });

  it('does not read a stream whose answers are outstanding beyond its bound', async () => {
    const gates: PromiseWithResolvers<readonly SubmissionAnswer[]>[] = [];
    const served = await serve(
      () => {
        const gate = Promise.withResolvers<readonly SubmissionAnswer[]>();
        gates.push(gate);
        return gate.promise;
      },
      { maxEventsPerStream: 2 },
    );
    const client = await SubmissionClient.open(served.asking, targetOf(served.serving), OPEN);
    const answers = [1, 2, 3].map(() => client.submit([filled(9)]));
    await until(() => gates.length === 2, 'two batches are with the handler');
    gates[0]?.resolve([ACKNOWLEDGED]);
    await until(() => gates.length === 3, 'the third follows the first answer');
    for (const gate of gates) gate.resolve([ACKNOWLEDGED]);
    await Promise.all(answers);
    await client.close();
  });

  it('fails what is under way when the server goes, and what is submitted later', async () => {
    const served = await serve(() => new Promise(() => {}));
    const client = await SubmissionClient.open(served.asking, targetOf(served.serving), OPEN);
    const answer = codeOf(client.submit([filled(9)]));
    await until(() => served.submissions.length === 1, 'the batch is with the handler');
    await served.serving.stop();
    expect(await answer).toBe('stream-closed');
    expect(await codeOf(client.submit([filled(9)]))).toBe('stream-closed');
  });

  it('answers a failure of its own as such, or by the code that it carries', async () => {
    const served = await serve(async (_peer, submission) => {
      throw submission.kind === 'json' ? codedError('no-quorum', 'retry', { retryAfterMs: 5 }) : new Error('a bug');
    });
    const to = targetOf(served.serving);
    expect(await submitJson(served.asking, to, {}, OPEN)).toMatchObject({ refusal: { code: 'no-quorum' } });
    const client = await SubmissionClient.open(served.asking, to, OPEN);
    expect(await client.submit([filled(1)])).toMatchObject([{ refusal: { code: 'internal' } }]);
    await client.close();
  });
});

const REQUEST = { number: 1, acknowledge: 'committed', events: [filled(20)] } as const;
