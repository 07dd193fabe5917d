import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import type { Host } from '../../src/net/host.ts';
import { endWith, peekFirstByte, readWhole, writeWhole } from '../../src/net/whole-stream.ts';
import { rawStream, startHosts, until } from './network.ts';

const BOUNDS = { maxBytes: 1_000, deadlineMs: 5_000 };

describe('a text on a stream of its own', () => {
  it('is read though the stream was closed before anybody listened', async () => {
    const [asking, serving] = (await startHosts(2)) as [Host, Host];
    await serving.handle('/test/1', (stream) => void endWith(stream, utf8('the answer')));
    const stream = await rawStream(asking, serving, '/test/1');
    expect(await writeWhole(stream, utf8('the question'), 1_000)).toEqual({ ok: true, value: undefined });
    await until(() => stream.status === 'closed', 'both sides have ended');
    expect(stream.readBufferLength).toBeGreaterThan(0);
    expect(await readWhole(stream, BOUNDS)).toEqual({ ok: true, value: utf8('the answer') });
  });

  it('is read though it came and ended before anybody listened, and this side has not ended', async () => {
    const [asking, serving] = (await startHosts(2)) as [Host, Host];
    await serving.handle('/test/1', (stream) => void writeWhole(stream, utf8('the answer'), 1_000));
    const stream = await rawStream(asking, serving, '/test/1');
    await until(() => stream.remoteWriteStatus === 'closed', 'the answer has ended');
    expect(await peekFirstByte(stream, 1_000)).toBe('t'.charCodeAt(0));
    expect(await readWhole(stream, BOUNDS)).toEqual({ ok: true, value: utf8('the answer') });
    stream.abort(new Error('done'));
  });

  it('is refused at once where the stream was reset before anybody listened', async () => {
    const [asking, serving] = (await startHosts(2)) as [Host, Host];
    await serving.handle('/test/1', (stream) => stream.abort(new Error('no')));
    const stream = await rawStream(asking, serving, '/test/1');
    await until(() => stream.status === 'reset', 'the reset has arrived');
    const startedMs = performance.now();
    expect(await readWhole(stream, BOUNDS)).toMatchObject({ ok: false, refusal: { code: 'stream-closed' } });
    expect(performance.now() - startedMs).toBeLessThan(BOUNDS.deadlineMs / 2);
  });
});
