import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A handle that Pluto made for a sign-in with a provider: `user-` and twelve letters or digits. */
const GENERATED = 'user-____________';

/**
 * `is_handle_updated` was set only by a change of the handle. From now on it says whether the owner has chosen
 * the handle, as those have who registered with a mail.
 */
export class MarkChosenHandles1796169600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `UPDATE users SET is_handle_updated = TRUE WHERE is_handle_updated = FALSE AND handle_key NOT LIKE '${GENERATED}'`,
    );
  }

  /** Which handles were changed is known no more; an earlier version works with these values. */
  async down(): Promise<void> {}
}
