# What no plan and no state holds (Terraform 1.11 and newer): a password that is typed on a serial port, a session for other tools.

terraform {
  required_providers {
    turingpi = {
      source  = "k1s-dev/turingpi"
      version = ">= 2.0.0"
    }
  }
}

provider "turingpi" {}

variable "password" {
  description = "Password of the module in slot 1."
  type        = string
  ephemeral   = true
}

resource "turingpi_uart" "login" {
  node               = 1
  command_wo         = var.password
  command_wo_version = 1 # another number has it typed again
}

ephemeral "turingpi_token" "session" {}

resource "terraform_data" "backup" {
  provisioner "local-exec" {
    command = "test -n \"$TOKEN\" && echo backing up $BMC"
    environment = {
      BMC   = ephemeral.turingpi_token.session.endpoint
      TOKEN = ephemeral.turingpi_token.session.token
    }
  }
}
