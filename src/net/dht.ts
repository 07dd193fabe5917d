export interface RecordRules {
  readonly validators: Record<string, never>;
  readonly selectors: Record<string, never>;
}
