/** Messages that real engines sent each other, with what the receiver knew when each arrived. */
import type { AdmissionView } from '../../src/hotstuff/admission.ts';
import type { HotstuffMessage, MessageKind } from '../../src/hotstuff/messages.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { changeOf, joinOf } from '../hotstuff/chain.ts';
import { Driver } from '../hotstuff/driver.ts';
import { lazily } from './corpus.ts';

export interface Passed {
  readonly kind: MessageKind;
  readonly from: number;
  readonly to: number;
  readonly message: HotstuffMessage;
  readonly bytes: Uint8Array;
  /** Of the receiver, as the message was sent. */
  readonly view: AdmissionView;
}

export interface Traffic {
  readonly driver: Driver;
  readonly passed: readonly Passed[];
  /** Of one kind, no two the same. */
  readonly encodings: (kind: MessageKind) => readonly Uint8Array[];
  /** Every safety record that was written. */
  readonly safetyRecords: readonly Uint8Array[];
  readonly storedBlocks: readonly Uint8Array[];
}

/** Four validators: work, a silent leader, a partition, a restart, and a laggard who fetches. */
export const traffic = lazily((): Traffic => {
  const driver = new Driver({ n: 4 });
  const passed: Passed[] = [];
  const stored = new Map<string, Uint8Array>();
  driver.lose('tap', ({ from, to, message }) => {
    const { engine } = driver.node(to);
    if (message === null || engine === null) return false;
    passed.push({ kind: message.kind, from, to, message, bytes: encodeMessage(message), view: engine.admissionView() });
    if (message.kind === 'proposal') stored.set(message.block.id, encodeStoredBlock(message));
    return false;
  });
  for (const { index } of driver.nodes) driver.start(index);
  driver.run(20);
  for (let i = 1; i <= 6; i++) {
    driver.submit(i % 4, joinOf(driver.chain, i), joinOf(driver.chain, 100 + i));
    driver.run(i);
  }
  driver.settle();
  driver.lose('silent', ({ from, kind }) => from === 1 && kind === 'proposal');
  for (let seq = 2; seq <= 5; seq++) {
    driver.submit(0, changeOf(driver.chain, 1, seq, Math.floor(driver.nowMs / 1000)));
    driver.run(2500);
  }
  driver.heal('silent');
  driver.partition([0, 1], [2, 3]);
  driver.submit(0, joinOf(driver.chain, 50, Math.floor(driver.nowMs / 1000)));
  driver.run(4000);
  driver.heal('partition');
  driver.settle();
  driver.restart(2);
  driver.submit(3, joinOf(driver.chain, 51, Math.floor(driver.nowMs / 1000)));
  driver.settle();
  const storedBlocks = [...stored.values()];
  const safetyRecords = driver.nodes.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'persist' ? [effect.safety] : [])),
  );
  return { driver, passed, safetyRecords, storedBlocks, encodings: (kind) => distinct(encodingsOf(kind)) };

  function encodingsOf(kind: MessageKind): readonly Uint8Array[] {
    if (kind !== 'blocks') return passed.filter((message) => message.kind === kind).map(({ bytes }) => bytes);
    const proposals = passed.flatMap(({ message }) => (message.kind === 'proposal' ? [message] : []));
    return [proposals.slice(0, 1), proposals.slice(1, 3)].map((blocks) => encodeMessage({ kind: 'blocks', blocks }));
  }
});

function distinct(encodings: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(encodings.map((bytes) => [Buffer.from(bytes).toString('base64'), bytes])).values()];
}
