import css from "./Bars.module.css";

export interface Bar {
  key: string;
  label: string;
  parts: { name: string; value: number; colour: string }[];
}

/** Sums over time, in parts that are stacked. The numbers are in a table, too, for who sees no bars. */
export function Bars({ label, bars }: { label: string; bars: Bar[] }) {
  const sums = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const most = Math.max(1, ...sums);
  const every = Math.ceil(bars.length / 8);
  const names = bars[0]?.parts.map(({ name }) => name) ?? [];

  return (
    <figure className={css.figure}>
      <div className={css.bars} aria-hidden="true">
        <span className={css.most}>{most}</span>
        {bars.map(({ key, label: title, parts }, n) => (
          <div key={key} className={css.bar} title={`${title}: ${sums[n]}`}>
            <div className={css.stack} style={{ height: `${(100 * sums[n]!) / most}%` }}>
              {parts.filter(({ value }) => value > 0).map(({ name, value, colour }) => <i key={name} style={{ flexGrow: value, background: colour }} />)}
            </div>
            <span>{n % every === 0 ? title : ""}</span>
          </div>
        ))}
      </div>
      <ul className={css.legend} aria-hidden="true">
        {bars[0]?.parts.map(({ name, colour }) => <li key={name}><i style={{ background: colour }} />{name}</li>)}
      </ul>
      <table className="unseen">
        <caption>{label}</caption>
        <thead><tr><td />{names.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>{bars.map(({ key, label: title, parts }) => (
          <tr key={key}><th scope="row">{title}</th>{parts.map(({ name, value }) => <td key={name}>{value}</td>)}</tr>
        ))}</tbody>
      </table>
    </figure>
  );
}
