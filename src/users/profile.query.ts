import { BatchedRead } from '../database/batched-read.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';
import type { Identity } from './identity.entity.js';
import type { User } from './user.entity.js';

type UserColumn =
  'id' | 'handle' | 'isHandleUpdated' | 'name' | 'avatarUrl' | 'avatarFile' | 'createdAt' | 'updatedAt';

/** An account as its owner sees it. */
export interface Profile extends Pick<User, UserColumn> {
  isPasswordSet: boolean;
  /** The role's name; `''` for none. */
  role: string;
  /** Oldest first. */
  identities: Pick<Identity, 'loginType' | 'mail' | 'isVerified'>[];
}

type NullableIdentity = { [Column in 'loginType' | 'mail' | 'isVerified']: Identity[Column] | null };

type Row = Pick<User, UserColumn> & NullableIdentity & { isPasswordSet: boolean; role: string | null };

/**
 * Plain SQL, since apps read profiles at every start. CROSS JOIN fixes the join order in SQLite, which might
 * otherwise start with all accounts of the applications.
 */
const findProfiles = (ids: string) => `
  SELECT u.id, u.handle, u.is_handle_updated AS isHandleUpdated, u.name, u.avatar_url AS avatarUrl,
    u.avatar_file AS avatarFile, u.password_hash IS NOT NULL AS isPasswordSet, u.created_at AS createdAt,
    u.updated_at AS updatedAt, r.name AS role, i.login_type AS loginType, i.mail, i.is_verified AS isVerified
  FROM users u
  CROSS JOIN applications a ON a.id = u.application_id
  LEFT JOIN user_roles g ON g.application_id = a.id AND g.user_id = u.id
  LEFT JOIN roles r ON r.id = COALESCE(g.role_id, a.default_role_id) AND r.application_id = a.id
  LEFT JOIN identities i ON i.user_id = u.id
  WHERE u.id IN (${ids})
  ORDER BY i.id`;

/** Reads profiles. */
export class ProfileQuery {
  private readonly rows: BatchedRead<number, Row>;

  constructor(dataSource: PlutoDataSource) {
    this.rows = new BatchedRead(dataSource, { sql: findProfiles, keyOf: ({ id }) => id });
  }

  /** @returns null for an unknown account */
  async find(userId: number): Promise<Profile | null> {
    return toProfile(await this.rows.find(userId));
  }
}

function toProfile(rows: Row[]): Profile | null {
  const [first] = rows;
  if (!first) return null;
  return {
    id: first.id,
    handle: first.handle,
    isHandleUpdated: Boolean(first.isHandleUpdated),
    name: first.name,
    avatarUrl: first.avatarUrl,
    avatarFile: first.avatarFile,
    isPasswordSet: Boolean(first.isPasswordSet),
    createdAt: first.createdAt,
    updatedAt: first.updatedAt,
    role: first.role ?? '',
    identities: rows.flatMap(({ loginType, mail, isVerified }) =>
      loginType === null ? [] : [{ loginType, mail: mail ?? '', isVerified: Boolean(isVerified) }],
    ),
  };
}
