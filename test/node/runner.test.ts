import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Runner } from '../../src/node/runner.ts';
import { effects, received, testLoop, type TestEffect, type TestInput } from './scripted.ts';

let now = 0;

beforeEach(() => {
  now = 1_000;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

function runnerOf(script: (input: TestInput) => readonly TestEffect[] = () => []) {
  const parts = testLoop(script);
  const fatal: unknown[] = [];
  const runner = new Runner(
    parts.loop,
    () => now,
    (error) => fatal.push(error),
  );
  return { ...parts, runner, fatal };
}

async function ticks(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a runner', () => {
  test('takes all inputs of one tick in one turn', async () => {
    const { runner, engine, store } = runnerOf(() => [effects.persist()]);
    for (const message of ['a', 'b', 'c']) expect(runner.offer(received(message))).toBe(true);
    expect(engine.inputs).toEqual([]);
    await ticks();
    expect(engine.inputs).toHaveLength(3);
    expect(store.batches).toHaveLength(1);
    store.letThrough();
    await runner.stop();
  });

  test('takes what comes in the middle of a step in the next turn, and never two turns at once', async () => {
    let isFirst = true;
    const { engine, fatal, runner, store } = runnerOf(() => {
      if (isFirst) runner.offer(received('an answer at once'));
      isFirst = false;
      return [effects.persist()];
    });
    runner.offer(received('a'));
    await ticks();
    expect(engine.inputs).toHaveLength(1);
    store.letThrough();
    await ticks();
    expect(engine.inputs).toHaveLength(2);
    expect(fatal).toEqual([]);
    store.letThrough();
    await runner.stop();
  });

  test('collects what comes while a batch is written, and goes on with it', async () => {
    const { runner, engine, store } = runnerOf(() => [effects.persist()]);
    runner.offer(received('a'));
    await ticks();
    runner.offer(received('b'));
    runner.offer(received('c', 2));
    await ticks();
    expect(engine.inputs).toHaveLength(1);
    store.letThrough();
    await ticks();
    expect(engine.inputs).toHaveLength(3);
    expect(store.batches).toHaveLength(2);
    store.letThrough();
    await runner.stop();
  });

  test('sets no timer while the engine waits for nothing', async () => {
    const { runner, engine } = runnerOf();
    runner.offer(received('a'));
    await ticks();
    expect(engine.inputs).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
    await runner.stop();
  });

  test('ticks when the engine wants to be woken, and once', async () => {
    const { runner, engine } = runnerOf();
    engine.wakeAt = now + 500;
    runner.offer(received('a'));
    await ticks();
    vi.advanceTimersByTime(499);
    await ticks();
    expect(engine.inputs).toHaveLength(1);
    engine.wakeAt = undefined;
    vi.advanceTimersByTime(1);
    await ticks();
    expect(engine.inputs.slice(1)).toEqual([{ kind: 'tick' }]);
    expect(vi.getTimerCount()).toBe(0);
    await runner.stop();
  });

  test('sets its timer anew after each turn', async () => {
    const { runner, engine } = runnerOf();
    engine.wakeAt = now + 100;
    runner.offer(received('a'));
    await ticks();
    engine.wakeAt = now + 10_000;
    runner.offer(received('b'));
    await ticks();
    vi.advanceTimersByTime(9_000);
    await ticks();
    expect(engine.inputs).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
    await runner.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('sleeps a long time in parts, as the clock may be set meanwhile', async () => {
    const { runner, engine } = runnerOf();
    engine.wakeAt = now + 3_600_000;
    runner.offer(received('a'));
    await ticks();
    vi.advanceTimersByTime(30_000);
    await ticks();
    expect(engine.inputs.slice(1)).toEqual([{ kind: 'tick' }]);
    await runner.stop();
  });

  test('tells once that a turn failed, and does nothing more', async () => {
    const { runner, store, engine, fatal } = runnerOf(() => [effects.persist(), effects.send('x')]);
    runner.offer(received('a'));
    await ticks();
    store.fail(new Error('no space'));
    await ticks();
    expect(fatal).toEqual([new Error('no space')]);
    expect(runner.offer(received('b'))).toBe(false);
    await ticks();
    expect(engine.inputs).toHaveLength(1);
    await runner.stop();
  });

  test('tells that the engine threw: our own bug stops the process', async () => {
    const { runner, fatal } = runnerOf(() => {
      throw new Error('the fact, stated positively');
    });
    runner.offer(received('a'));
    await ticks();
    expect(fatal).toHaveLength(1);
  });

  test('stops after the turn under way, and takes nothing more', async () => {
    const { runner, store, log, engine } = runnerOf(() => [effects.persist(), effects.send('x', [1])]);
    runner.offer(received('a'));
    await ticks();
    runner.offer(received('b'));
    let stopped = false;
    const stop = runner.stop().then(() => (stopped = true));
    await ticks();
    expect(stopped).toBe(false);
    store.letThrough();
    await stop;
    expect(log.at(-1)).toBe('send x to 1');
    expect(runner.offer(received('c'))).toBe(false);
    await ticks();
    expect(engine.inputs).toHaveLength(1);
  });
});
