/** One instance of a validator: the production engine over a disk of maps. */
import type { ValidatorIndex } from '../../src/consensus/engine.ts';
import type { HotstuffEngine } from '../../src/hotstuff/engine.ts';
import type { Pacing } from '../../src/hotstuff/replica.ts';
import { firstSafetyRecord, type SafetyRecord } from '../../src/hotstuff/safety-record.ts';
import type { LedgerMachine } from '../../src/ledger/machine.ts';
import type { VerifiedCertificate } from '../../src/qc/certificate.ts';
import type { TestChain } from '../hotstuff/chain.ts';
import { engineOn } from '../hotstuff/start-engine.ts';
import { TestDisk } from '../hotstuff/test-disk.ts';

export interface Identity {
  /** Place among the instances. */
  readonly id: number;
  readonly index: ValidatorIndex;
  /** `1`, or `1'` for the second instance of validator 1. */
  readonly name: string;
  readonly isTwin: boolean;
}

export class Instance implements Identity {
  readonly id: number;
  readonly index: ValidatorIndex;
  readonly name: string;
  readonly isTwin: boolean;
  readonly disk: TestDisk;
  readonly engine: HotstuffEngine;
  readonly machine: LedgerMachine;
  round = 1;
  /** The highest round for which it sent a timeout. */
  gaveUpRound = 0;
  /** The last voted round of the safety record that is on disk. */
  durableRound = 0;
  /** The last voted round of its safety record, after its last step. */
  unwrittenRound = 0;
  /** When it wants to be told the time; null: to be asked. */
  wakeAtMs: number | null = null;
  /** A twin that meets what it takes for its own bug stops, as a process does. */
  hasStopped = false;

  constructor(chain: TestChain, { id, index, name, isTwin }: Identity, pacing: Pacing) {
    this.id = id;
    this.index = index;
    this.name = name;
    this.isTwin = isTwin;
    this.disk = new TestDisk(chain);
    const options = { self: index, pacing, silence: null };
    if (!isTwin) {
      const { engine, machine } = engineOn(chain, this.disk, options);
      this.engine = engine;
      this.machine = machine;
      return;
    }
    const unsuspecting = unsuspectingRecord(chain.genesisCertificate);
    const { engine, machine } = engineOn(chain, this.disk, { ...options, record: unsuspecting.record });
    unsuspecting.start();
    this.engine = engine;
    this.machine = machine;
  }
}

/**
 * A validator that meets a ballot of its own that it does not remember falls silent: its disk was rolled back, or there is
 * another with its key. A traitor would not. This record says of itself, once the engine has started, that it knows; then
 * there is nothing to be noticed any more, and the production engine goes on as it is.
 */
function unsuspectingRecord(genesis: VerifiedCertificate): { record: SafetyRecord; start: () => void } {
  let hasStarted = false;
  const record: SafetyRecord = {
    ...firstSafetyRecord(genesis),
    get rolledBack() {
      return hasStarted;
    },
  };
  const start = () => {
    hasStarted = true;
  };
  return { record, start };
}
