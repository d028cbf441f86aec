import { viewGroups, viewHash, viewTitles } from '../../state/view.ts';
import { useFacts } from './useFacts.ts';
import styles from './viewMenu.module.css';

/** Links to the views, in groups; the one on show is marked. */
export function ViewMenu() {
  const shown = useFacts((s) => s.view);
  return (
    <nav className={styles.viewMenu} aria-label="Views">
      {viewGroups.map(({ name, views }) => (
        <ul key={name} aria-label={name}>
          {views.map((view) => (
            <li key={view}>
              <a href={viewHash(view)} aria-current={view === shown ? 'page' : undefined}>
                {viewTitles[view]}
              </a>
            </li>
          ))}
        </ul>
      ))}
    </nav>
  );
}
