/**
 * A record as `hotledger export` writes it, judged as one of the older network is. Two things are said otherwise there: this
 * ledger tells when a node was last heard, which none of the older network does, and its `accumulatedUptime` is that of the
 * closed sessions, where the older one counted the open session in. (record-view.ts)
 */
import { refuse, type Result } from '../base/result.ts';
import { importRecord, type Fields, type Imported, type ImportRules } from './import-record.ts';

export function isExported(fields: Fields): boolean {
  return 'lastHeard' in fields;
}

/**
 * Not for what a Raft log carries: there a value means what it meant when it was written.
 *
 * Refusals: those of `importRecord`.
 */
export function importExported(fields: Fields, rules: ImportRules): Result<Imported> {
  // Whose stake is attested, the lists of the import say.
  const { accumulatedUptime, lastHeard, stakeAttestedAt: _at, stakeReference: _by, ...rest } = fields;
  const imported = importRecord({ ...rest, ...allSessions(accumulatedUptime, rest) }, rules);
  if (!imported.ok) return imported;
  const { record } = imported.value;
  const { lastJoined, lastUpdated } = record;
  if (typeof lastHeard !== 'number' || !Number.isSafeInteger(lastHeard)) {
    return refuse('record-malformed', 'a field does not have the required form', {
      field: 'lastHeard',
      expected: 'unix seconds',
    });
  }
  if (lastHeard < lastJoined || lastHeard > lastUpdated) {
    return refuse('times-out-of-order', 'lastJoined, lastHeard and lastUpdated follow each other', {
      lastJoined,
      lastHeard,
      lastUpdated,
    });
  }
  return { ok: true, value: { ...imported.value, record: { ...record, lastHeard } } };
}

/** As the older network counts them. What is no number stays, and is refused as such. */
function allSessions(closed: unknown = 0, { activity, uptime = 0 }: Fields): Fields {
  if (activity === 1 || !isWhole(closed) || !isWhole(uptime)) return { accumulatedUptime: closed };
  return { accumulatedUptime: BigInt(closed) + BigInt(uptime) };
}

function isWhole(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}
