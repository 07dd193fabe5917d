import { describe, expect, test } from 'vitest';
import { textFromUtf8, utf8 } from '../../../src/base/bytes.ts';
import type { ByteConnection } from '../../../src/net/byte-streams.ts';
import type { Channel } from '../../../src/raft/contract.ts';
import { CALM, type NetworkSettings } from '../network-settings.ts';
import { fromMacrotask, Scheduler } from '../scheduler.ts';
import { Tally } from '../tally.ts';
import type { Endpoint } from './simulated-connection.ts';
import { SimulatedStreams, type Listening, type NetworkedMachine } from './simulated-streams.ts';

const LATE: NetworkSettings<Channel> = { ...CALM, delayMs: [0.1, 80], late: { chance: 0.3, mostMs: 3_000 } };

/** Two machines; the first one has dialled the second one. */
function connected() {
  const scheduler = new Scheduler();
  const streams = new SimulatedStreams({
    scheduler,
    seed: 7,
    tally: new Tally(),
    onRequest: () => undefined,
    onAnswer: () => undefined,
  });
  const machineOf = (id: number): NetworkedMachine & { readonly life: Endpoint & Listening } => {
    const identity = { kind: 'address', ip: `10.0.0.${id}` } as const;
    const life = { ended: false, machine: id, mayActOn: () => true, onConnection: null };
    return { id, address: `10.0.0.${id}:1`, identity, closesOnPreVote: false, life };
  };
  const [one, other] = [machineOf(0), machineOf(1)];
  streams.connectAll([one, other]);
  let heard = '';
  const events: string[] = [];
  const listen = (connection: ByteConnection, name: string) =>
    connection.start({
      onBytes: (bytes) => (heard += textFromUtf8(bytes)),
      onWritable: () => events.push(`${name} is writable`),
      onClosed: () => events.push(`${name} is closed`),
    });
  let dialled: ByteConnection | null = null;
  scheduler.run(other.life, () => {
    void streams.streamsOf(other.life, other).listen((connection) => listen(connection, 'other'));
  });
  scheduler.run(one.life, () => {
    void streams
      .streamsOf(one.life, one)
      .dial(other.address, 1_000)
      .then((connection) => {
        dialled = connection;
        listen(connection, 'one');
      });
  });
  const run = (ms: number) => {
    const untilMs = scheduler.nowMs + ms;
    while (scheduler.step(untilMs));
    scheduler.nowMs = untilMs;
  };
  run(50);
  return {
    scheduler,
    streams,
    one,
    other,
    run,
    events,
    connection: dialled as ByteConnection | null,
    heard: () => heard,
  };
}

describe('a simulated connection', () => {
  test('brings all bytes in their order, however late and in whatever pieces', async () => {
    const [heard, said] = await fromMacrotask(() => {
      const { connection, heard, run, scheduler, streams, one } = connected();
      streams.change(LATE);
      let said = '';
      for (let i = 0; i < 400; i++) {
        const text = `${i} `;
        said += text;
        scheduler.run(one.life, () => void connection?.write(utf8(text)));
        run(0.3);
      }
      run(10_000);
      return [heard(), said] as const;
    });
    expect(heard).toBe(said);
  });

  test('holds up what meets a cut, one way alone, and brings it when the cut is over', async () => {
    const seen = await fromMacrotask(() => {
      const { connection, heard, run, streams } = connected();
      streams.change({ ...CALM, cuts: [{ from: [0], to: [1] }] });
      connection?.write(utf8('a'));
      run(5_000);
      const during = heard();
      streams.change(CALM);
      connection?.write(utf8('b'));
      run(10);
      return [during, heard()];
    });
    expect(seen).toEqual(['', 'ab']);
  });

  test('is closed at the other end when the process at one end is over', async () => {
    const [soon, events] = await fromMacrotask(() => {
      const { events, one, run, streams } = connected();
      (one.life as { ended: boolean }).ended = true;
      streams.stopped(one.life, false);
      const soon = [...events];
      run(10);
      return [soon, events];
    });
    expect(soon).toEqual([]);
    expect(events).toEqual(['other is closed']);
  });

  test('is full when the other side does not read, and writable again when it has', async () => {
    const seen = await fromMacrotask(() => {
      const { connection, events, run } = connected();
      const taken = connection?.write(new Uint8Array(100_000));
      run(10);
      return { taken, isFull: connection?.isFull, events };
    });
    expect(seen).toEqual({ taken: false, isFull: false, events: ['one is writable'] });
  });
});
