//! The explanation as text of about 100 columns.

use std::fmt::{Display, Formatter, Result};

use super::*;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (i, source) in self.sources.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            source.fmt(f)?;
        }
        Ok(())
    }
}

/// `  name       text`; nothing where the text is empty.
fn line(f: &mut Formatter<'_>, name: &str, text: &str) -> Result {
    if text.is_empty() { Ok(()) } else { writeln!(f, "  {name:<11}{text}") }
}

impl Display for SourceExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "source {}", self.name)?;
        line(f, "reads", &format!("{} as {}, in the group {}", self.topics.join(", "), self.format, self.group))?;
        line(
            f,
            "partitions",
            &match &self.partitioned_by[..] {
                [] => "by what, is not said".to_owned(),
                fields => format!("by {}", fields.join(", ")),
            },
        )?;
        line(f, "time", &self.time)?;
        line(
            f,
            "watermark",
            &format!(
                "{} behind the newest event; idle after {}; at most {} ahead",
                self.out_of_orderness, self.idle_after, self.max_ahead
            ),
        )?;
        let width = |of: fn(&DecodedExplanation) -> usize| self.decoded.iter().map(of).max().unwrap_or_default();
        let (paths, kinds) = (width(|field| field.path.len()), width(|field| field.kind.len()));
        for (i, field) in self.decoded.iter().enumerate() {
            let DecodedExplanation { path, kind, asked_by } = field;
            let asked_by = asked_by.join(", ");
            line(f, if i == 0 { "decodes" } else { "" }, &format!("{path:<paths$}  {kind:<kinds$}  for {asked_by}"))?;
        }
        for route in &self.routes {
            writeln!(f)?;
            route.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for RouteExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "route {}, from {}", self.name, self.from)?;
        line(f, "where", &self.conditions.join(" and "))?;
        for step in &self.steps {
            line(f, "transform", &step.to_string())?;
        }
        if let Some(aggregate) = &self.aggregate {
            aggregate.fmt(f)?;
        }
        for rows in &self.rows {
            let columns: Vec<String> = rows.columns.iter().map(ToString::to_string).collect();
            line(f, "rows", &columns.join(", "))?;
        }
        for target in &self.to {
            line(f, "to", &target.to_string())?;
        }
        Ok(())
    }
}

impl Display for StepExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.plugin)?;
        if !self.reads.is_empty() {
            write!(f, ": reads {}", self.reads.join(", "))?;
        }
        for (output, fields) in self.writes.iter().filter(|(_, fields)| !fields.is_empty()) {
            match self.writes.len() {
                1 => write!(f, "; writes {}", fields.join(", "))?,
                _ => write!(f, "; writes to {output} {}", fields.join(", "))?,
            }
        }
        Ok(())
    }
}

impl Display for AggregateExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        line(
            f,
            "key",
            &match &self.key[..] {
                [] => "none: one group for all".to_owned(),
                key => key.join(", "),
            },
        )?;
        line(f, "partitions", &self.partitions)?;
        line(f, "window", &format!("{}; {}", self.window, self.panes))?;
        line(f, "late", &self.late)?;
        if let Some(every) = &self.early {
            line(f, "early", &format!("running windows are written every {every}"))?;
        }
        let reads = if self.reads.is_empty() { String::new() } else { format!(": reads {}", self.reads.join(", ")) };
        line(f, "aggregate", &format!("{}{reads}; a row's time is its window's {}", self.plugin, self.at))
    }
}

impl Display for ColumnExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let role = if self.role == Role::Tag { "tag " } else { "" };
        let unit = if self.unit.is_empty() { String::new() } else { format!(" in {}", self.unit) };
        write!(f, "{role}{} {}{unit}", self.name, self.kind.name())
    }
}

impl Display for TargetExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} ({}) as {}: ", self.sink, self.kind, self.measurement)?;
        if !self.tags.is_empty() {
            write!(f, "tags {}; ", self.tags.join(", "))?;
        }
        write!(f, "fields {}", self.fields.join(", "))?;
        if !self.key.is_empty() {
            write!(f, "; key {}", self.key.join(", "))?;
        }
        Ok(())
    }
}
