/** What a node tells its operator of event schemas: which is in force, which one comes, and which its program knows. */
import { unwrap } from '../base/result.ts';
import { replacedDigest } from '../ledger/actions.ts';
import { eventSchemaAt, schemaActivation } from '../ledger/event-schema-at.ts';
import { NEWEST_EVENT_SCHEMA } from '../ledger/newest-schema.ts';
import type { StateReader } from '../ledger/state.ts';
import type { Logger } from '../observability/log.ts';
import type { ComponentHealth, SchemaReport } from './status.ts';

/** @param state the committed one, of this height */
export function schemaReport(state: StateReader, height: number, known = NEWEST_EVENT_SCHEMA): SchemaReport {
  const activation = schemaActivation(state);
  return {
    active: eventSchemaAt(state, height + 1),
    known,
    scheduled: activation !== null && activation.fromHeight > height + 1 ? activation : null,
    replaces: unwrap(replacedDigest(state, { kind: 'schemaActivated', schema: 0, fromHeight: 0 })),
  };
}

export function schemaHealth({ active, known, scheduled }: SchemaReport, height: number): ComponentHealth {
  const name = 'schema';
  if (active > known) {
    const detail = `stopped at height ${height}: the next block is of event schema ${active}, and this program knows ${known}; upgrade it, it goes on from here`;
    return { name, healthy: false, detail };
  }
  if (scheduled === null) return { name, healthy: true, detail: `event schema ${active}, this program knows ${known}` };
  const { schema, fromHeight } = scheduled;
  const coming = `event schema ${schema} begins at height ${fromHeight}, ${fromHeight - height} blocks from here`;
  return schema > known
    ? {
        name,
        healthy: false,
        detail: `${coming}, and this program knows ${known}: upgrade it before, or it stops there`,
      }
    : { name, healthy: true, detail: coming };
}

/** Tells the log, once each, of what is decided and of what comes to pass. */
export class SchemaWatch {
  readonly #log: Pick<Logger, 'info' | 'warn' | 'error'>;
  #told = '';

  constructor(log: Pick<Logger, 'info' | 'warn' | 'error'>) {
    this.#log = log;
  }

  /** After a start, and after each commit. */
  observe(report: SchemaReport, height: number): void {
    const { active, known, scheduled } = report;
    const news = `${active} ${scheduled?.fromHeight ?? ''}`;
    if (news === this.#told) return;
    const isFirst = this.#told === '';
    this.#told = news;
    const { detail, healthy } = schemaHealth(report, height);
    const facts = { active, known, scheduled, height };
    if (active > known) this.#log.error(facts, `stops before an event schema that it does not know: ${detail}`);
    else if (!healthy) this.#log.warn(facts, detail);
    else if (!isFirst || scheduled !== null) this.#log.info(facts, detail);
  }
}
