// What a directory of quantized layers holds: bits, use of codes, weights and scales; errors and seconds where
// quantize_model left them. Several directories are compared.
#include "../support/console.hpp"
#include "../support/fail.hpp"
#include "../support/output_file.hpp"
#include "../support/program.hpp"
#include "../support/text_table.hpp"
#include "inspection_json.hpp"
#include "inspection_tables.hpp"
#include "model_report.hpp"

#include <basin/io/json_text.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
  std::vector<std::string> folders;
  std::string html_path, json_path, original_path;
  CLI::App app("Shows what a directory of quantized layers holds, or compares several", "inspect");
  app.add_option("--model", folders, "directory in AQLM layout or of scalar levels; several are compared, each with the first of its scheme")
      ->required();
  app.add_option("--html", html_path, "write a page with charts to this file");
  app.add_option("--json", json_path, "write all figures to this file");
  app.add_option("--original", original_path, "what perplexity --json wrote of the model before it was quantized");

  return support::run_program(app, argc, argv, [&] {
    support::check_output(html_path);
    support::check_output(json_path);
    std::optional<double> original;
    if (!original_path.empty()) {
      const nlohmann::json document = support::take(basin::read_json(original_path));
      original = llama::detail::read_fields(original_path, [&] { return document.at("perplexity").get<double>(); });
    }
    std::vector<llama::InspectedModel> models;
    {
      support::ProgressLine progress("inspect");
      for (const std::string& folder : folders) {
        models.push_back(llama::inspect_model(folder, [&](double fraction, const std::string& layer) {
          progress.update((static_cast<double>(models.size()) + fraction) / static_cast<double>(folders.size()), layer);
        }));
        models.back().perplexity = llama::read_perplexity(folder);
      }
    }
    if (models.size() == 1) {
      support::print_table(llama::layer_rows(models[0]));
      std::printf("\n");
    }
    support::print_table(llama::summary_rows(models, original));
    if (!json_path.empty()) support::write_json(json_path, llama::to_json(models, original));
    if (!html_path.empty()) llama::ModelReport(models, original).page().write(html_path);
  });
}
